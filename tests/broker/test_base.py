"""The choice of a backend."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.broker import open_broker
from harness.broker.embedded import EmbeddedBroker
from harness.errors import EXIT_USAGE, UsageError


def asked(backend: str) -> SimpleNamespace:
    return SimpleNamespace(backend=backend, kafka="4.3.1", nodes=1, heap_mb=512, start_timeout_s=60.0)


@pytest.mark.parametrize("backend", ["auto", "embedded"])
def test_embedded_is_the_default_and_starts_nothing_yet(backend: str, tmp_path: Path) -> None:
    broker = open_broker(asked(backend), run_log=tmp_path / "broker.log", progress=print)
    assert isinstance(broker, EmbeddedBroker)
    assert broker.alive() == "Kafka 4.3.1 has not been started"
    assert broker.abilities == {"nodes", "restart", "kill", "pause", "requests", "proxy", "traps"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backend", "what"),
    [
        ("external", "broker.backend: external of which broker?"),
        ("dokcer", "broker.backend: 'dokcer' is not one of auto, embedded, docker, external"),
    ],
)
def test_other_backends_are_refused(backend: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        open_broker(asked(backend), run_log=tmp_path / "broker.log", progress=print)
    assert refused.value.what == what
    assert refused.value.hint.startswith("`harness run` with --bootstrap" if backend == "external" else "Use embedded")
    assert refused.value.exit_code == EXIT_USAGE
