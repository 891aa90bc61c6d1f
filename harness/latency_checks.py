"""Pure: what does not go with reading while messages are produced, in words."""

from collections.abc import Iterator

from harness.fault_models import KINDS
from harness.measuring import WARM_UP_S
from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding, Lookup, spec_at

NOT_WITH = {
    ("members",): "scripts count on a topic that is whole",
    ("topic", "compacted"): "nobody may read before it is compacted",
    ("group", "committed"): "there is nothing in the topic yet that could be committed",
}
FAULTS = ("kill", "freeze", "leave", "join", "rebalance", "subscription")
"""Those that hit the group alone: all others would hold up the producer too, or change the topic under it."""


def _while_produced(get: Lookup) -> Iterator[Finding]:
    path: KeyPath = ("consume",)
    if get(*path) != "while_produced":
        return
    rate, messages = get("producer", "rate"), get("messages")
    if rate is None:
        yield Finding(path, "latency counts from when a message was due: set producer.rate", also=(("producer",),))
    elif messages is not None and messages <= rate * WARM_UP_S:
        what = (
            f"{messages:,} messages at {rate:,} a second are all due in the warm-up, the first {WARM_UP_S:g} s, of "
            f"which nothing is measured: more messages, or a lower producer.rate"
        )
        yield Finding(path, what, also=(("messages",), ("producer", "rate")))
    if get("record") == "throughput":
        what = "throughput records no time of a message, and latency needs it: leave `record` out"
        yield Finding(("record",), what, also=(path,))
    for key, why in NOT_WITH.items():
        if get(*key) is not None:
            yield Finding(key, f"not with consume: while_produced: {why}", also=(path,))
    spec = spec_at(get, ("client",))
    if spec is not None and spec.library == "null":
        yield Finding(path, "the null client reads no topic", also=(("client",),))
    yield from _faults(get)


def _faults(get: Lookup) -> Iterator[Finding]:
    faults = get("faults")
    for at in range(len(faults) if isinstance(faults, list) else 0):
        for kind in KINDS:
            if kind not in FAULTS and get("faults", at, kind) is not None:
                what = f"{kind} would hit the producer too; with consume: while_produced only {', '.join(FAULTS)}"
                yield Finding(("faults", at, kind), what, also=(("consume",),))
        if get("faults", at, "during") == "produce":
            what = "while messages are produced they are consumed, too: leave it out"
            yield Finding(("faults", at, "during"), what, also=(("consume",),))


CHECKS = (_while_produced,)
