"""A process without any file handle left still removes its keys, and says what the matter is."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness import spare
from harness.cli import _guarded
from harness.errors import EXIT_HARNESS
from harness.rundir import disk_error

REMOVAL = """
import errno, os, resource, shutil, sys
from pathlib import Path
from harness import owner, spare
folder = Path(sys.argv[1])
owner.sign(folder)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open(os.devnull, os.O_RDONLY)
except OSError as error:
    assert error.errno == errno.EMFILE
spare.free_handles()
shutil.rmtree(folder)
"""


def test_what_is_kept_back_suffices_for_removing_keys(tmp_path: Path) -> None:
    secret = tmp_path / "kafka" / "data" / "topic-0" / "deep" / "server.key"
    secret.parent.mkdir(parents=True)
    secret.touch()
    done = subprocess.run([sys.executable, "-c", REMOVAL, tmp_path / "kafka"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "kafka").exists()


def test_it_keeps_the_same_number_however_often_it_is_asked() -> None:
    spare.keep_handles()
    kept = list(spare._kept)
    spare.keep_handles()
    assert spare._kept == kept
    assert len(kept) == spare.COUNT
    spare.free_handles()
    assert spare._kept == []


def test_no_file_handles_is_told_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise OSError(24, "Too many open files", "/x")

    assert _guarded(command) == EXIT_HARNESS
    assert capsys.readouterr().err.splitlines() == [
        "error [file-handles]: no file can be opened any more: [Errno 24] Too many open files: '/x'",
        "  Allow more: ulimit -n 4096",
    ]


def test_a_result_that_cannot_be_written_for_want_of_handles_is_told_as_that(tmp_path: Path) -> None:
    assert disk_error(tmp_path, OSError(24, "Too many open files")).slug == "file-handles"
    assert disk_error(tmp_path, OSError(28, "No space left on device")).slug == "cannot-write"
