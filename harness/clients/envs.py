"""One virtual environment for each client and interpreter, made by uv, locked, kept for the next run.

    $XDG_CACHE_HOME/harness/envs/<key>/        the environment, in place: a virtual environment cannot be moved
        requirements.lock                      every package with its hashes, what the environment was installed from
        complete.json                          written last; without it the folder is rubble and is made anew
    $XDG_CACHE_HOME/harness/envs/<key>.lock    held while making, against a second harness

`key` is a hash of what was asked for and of the interpreter. The catalogue orders the interpreters; the import in the
new environment decides, and when it fails the next interpreter is tried. Nothing of the user's own Python settings
reaches uv or the client.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cache import cache_folder, locked
from harness.clients.catalogue import WHEELS_ONLY, Minor, dotted, supported
from harness.clients.interpreters import Interpreter, download, interpreters_here, none_fits, ordered, to_download
from harness.clients.spec import ClientSpec
from harness.errors import HarnessError, UsageError

FORMAT = 1
UV_TIMEOUT_S = 900
IMPORT_TIMEOUT_S = 60

Progress = Callable[[str], None]

# What uv may learn from the user's environment: where packages come from and how to get there. Not PYTHONPATH, not
# VIRTUAL_ENV, not the UV_ settings that change which releases are chosen.
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_.*|SSH_.*|GIT_(SSH.*|ASKPASS|SSL_.*|CONFIG_.*)|NETRC|SSL_CERT_(FILE|DIR)|XDG_(CACHE|DATA|CONFIG)_HOME|"
    r"(HTTPS?|ALL|NO)_PROXY|UV_(CACHE_DIR|INDEX.*|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|OFFLINE|HTTP_.*|NATIVE_TLS|"
    r"SYSTEM_CERTS|INSECURE_HOST|PYTHON_INSTALL_(DIR|MIRROR)|PYTHON_DOWNLOADS|KEYRING_PROVIDER|LINK_MODE)",
    re.IGNORECASE,
)
NO_NETWORK = re.compile(
    r"Failed to fetch|error sending request|network was disabled|dns error|Connection refused|timed out|"
    r"Git operation failed|Could not connect",
    re.IGNORECASE,
)
NO_SUCH_RELEASE = re.compile(r"there is no version of (?P<name>[\w.-]+)(?:\[[^\]]*\])?==(?P<version>[\w.!+-]+)")
NO_SUCH_PACKAGE = re.compile(r"(?P<name>[\w.-]+) was not found in the (?:package registry|provided package locations)")
NO_SUCH_EXTRA = re.compile(r"`(?P<package>[^`]+)` does not have an extra named `(?P<extra>[^`]+)`")
NO_ROOM = re.compile(r"No space left on device|Permission denied|Read-only file system|quota exceeded", re.IGNORECASE)
ROOM = "Free space there, or move the cache with XDG_CACHE_HOME."
COMMIT = re.compile(r"@[0-9a-f]{40}$")


@dataclass(frozen=True)
class ClientEnv:
    """An environment that is ready: `python` imports the client.

    spec: with its release or commit written out.
    client_version: of the library that is driven; None for a client without one (`null`).
    packages: everything installed, name to version.
    """

    spec: ClientSpec
    python: Path
    python_version: str
    client_version: str | None
    packages: dict[str, str]
    key: str


class _Unfit(Exception):
    """This interpreter cannot run the client; the text says why, and the next one is tried."""


def prepare(spec: ClientSpec, *, progress: Progress, security: str) -> ClientEnv:
    """The environment of `spec`, from the cache or made now.

    security: `mutual_tls` or `plaintext`: old releases do TLS on old interpreters only.

    Raises UsageError `client-version` (no such release) or `client-spec` (no such extra, no such folder),
    HarnessError `client-interpreter` (nothing here runs it), `client-download` (no network) or `client-environment`
    (a full disk and the like).
    """
    spec = spec.pinned()
    wanted = _minor(spec.python)
    known = supported(spec.library, spec.version or spec.client.current if spec.source is None else None, security)
    here = interpreters_here()
    candidates = ordered(here, supported=known, wanted=wanted)
    if not candidates:
        minor = to_download(supported=known, wanted=wanted)
        if minor is not None:
            progress(f"{spec}: fetching Python {dotted(minor)}")
            fetched = download(uv_binary(), minor, env=_environment())
            candidates = [fetched] if fetched is not None else []
        if not candidates:
            raise none_fits(str(spec), supported=known, wanted=wanted, here=here)
    if spec.client.distribution is None:
        chosen = candidates[0]
        return ClientEnv(spec, chosen.path, _text(chosen.version), None, {}, "host")
    if spec.source is not None and spec.source.startswith("git+") and not COMMIT.search(spec.source):
        spec = _at_commit(spec, candidates[0], progress)
    return _first_that_imports(spec, candidates, progress)


def _first_that_imports(spec: ClientSpec, candidates: list[Interpreter], progress: Progress) -> ClientEnv:
    failures: dict[str, list[str]] = {}
    for interpreter in candidates:
        try:
            return _environment_on(spec, interpreter, progress)
        except _Unfit as unfit:
            failures.setdefault(str(unfit), []).append(_text(interpreter.version))
            progress(f"{spec}: not on {interpreter}: {unfit}")
    told = [f"  Python {', '.join(versions)}: {reason}" for reason, versions in failures.items()]
    raise HarnessError(
        "client-interpreter",
        "\n".join([f"{spec} runs on none of the interpreters tried here:", *told]),
        "Install an older or newer Python (pyenv install VERSION), or name one: CLIENT @ python3.9. `harness doctor` "
        "lists those found.",
    )


def _environment_on(spec: ClientSpec, interpreter: Interpreter, progress: Progress) -> ClientEnv:
    """The complete environment on this interpreter, made if need be. Raises _Unfit."""
    key = env_key(spec, interpreter)
    folder = envs_dir() / key
    if (ready := _complete(spec, folder)) is not None:
        return ready
    try:
        with locked(folder.with_name(f"{key}.lock"), what=str(spec), slug="client-environment", say=progress):
            # A second harness may have made it while this one waited.
            if (ready := _complete(spec, folder)) is not None:
                return ready
            progress(f"{spec}: making its environment on {interpreter}")
            try:
                _make(spec, interpreter, folder)
            finally:
                if not (folder / "complete.json").is_file():
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    ready = _complete(spec, folder)
    if ready is None:
        raise HarnessError("client-environment", f"{folder}: was made and is gone", "Run again.")
    return ready


def _make(spec: ClientSpec, interpreter: Interpreter, folder: Path) -> None:
    """Create, lock, install, import; the marker last."""
    shutil.rmtree(folder, ignore_errors=True)
    created = ask_uv("venv", "--no-project", "--python", interpreter.path, folder, offline=True)
    if created.returncode != 0:
        _refuse(spec, created.stderr)
    python = folder / "bin/python"
    lock = folder / "requirements.lock"
    # No addresses in it: where packages come from is the user's business, what they are is fixed by their hashes.
    hashes = [] if spec.source is not None else ["--generate-hashes"]
    compiled = _online_if_need_be(
        "pip", "compile", "-", "--no-header", "--no-annotate", *hashes, *_build_options(spec), "--python", python,
        stdin="\n".join(spec.requirements),
    )  # fmt: skip
    if compiled.returncode != 0:
        _refuse(spec, compiled.stderr, python)
    if match := NO_SUCH_EXTRA.search(compiled.stderr):
        raise UsageError(
            "client-spec",
            f"client {str(spec)!r}: {match['package']} has no extra {match['extra']!r}",
            "Leave the extra out, or name its package beside it: LIBRARY==VERSION + PACKAGE.",
        )
    lock.write_text(compiled.stdout)
    required = [] if spec.source is not None else ["--require-hashes"]
    # Reinstalled, as a first try that broke off may leave half a package that the second would take for a whole one.
    again = ["--reinstall"]
    installed = _online_if_need_be(
        "pip", "sync", *required, *_build_options(spec), "--python", python, lock, second=again
    )
    if installed.returncode != 0:
        _refuse(spec, installed.stderr, python)
    _import(spec, python)
    listed = ask_uv("pip", "list", "--format", "json", "--python", python, offline=True)
    if listed.returncode != 0:
        _refuse(spec, listed.stderr)
    packages = {str(entry["name"]): str(entry["version"]) for entry in json.loads(listed.stdout)}
    if spec.client.distribution not in packages:
        raise _Unfit(f"uv installed {', '.join(packages) or 'nothing'}, and no {spec.client.distribution}")
    # Written in one go, as a torn one reads as none.
    complete = {"python_version": _text(interpreter.version), "packages": packages}
    (folder / "complete.json").write_text(json.dumps(complete))


def _complete(spec: ClientSpec, folder: Path) -> ClientEnv | None:
    """The environment in `folder` if it was finished and its interpreter is still there."""
    python = folder / "bin/python"
    try:
        told = json.loads((folder / "complete.json").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not python.exists():
        return None
    packages: dict[str, str] = told["packages"]
    version = packages[str(spec.client.distribution)]
    return ClientEnv(spec, python, told["python_version"], version, packages, folder.name)


def _import(spec: ClientSpec, python: Path) -> None:
    """The client imports, in isolation, as its worker will. Raises _Unfit with the last line of the traceback."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", f"import {spec.client.module}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_TIMEOUT_S,
            env=_environment(),
            cwd=python.parent,
        )
    except subprocess.TimeoutExpired as error:
        raise _Unfit(f"import {spec.client.module} took longer than {IMPORT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise _Unfit(f"import {spec.client.module} fails: {said[-1]}")


def _refuse(spec: ClientSpec, said: str, python: Path | None = None) -> None:
    """Turn what uv said into the error that fits; anything else makes the interpreter unfit."""
    if match := NO_SUCH_RELEASE.search(said):
        raise UsageError(
            "client-version",
            f"client {str(spec)!r}: there is no {match['name']} {match['version']}",
            near(match["name"], match["version"], python),
        )
    if match := NO_SUCH_PACKAGE.search(said):
        raise UsageError("client-version", f"client {str(spec)!r}: there is no package {match['name']}", "")
    if NO_NETWORK.search(said):
        raise HarnessError(
            "client-download",
            f"{spec}: not in the cache, and it could not be downloaded:\n{shortened(said)}",
            "Connect once to fill the cache; later runs need no network. Behind a mirror set UV_DEFAULT_INDEX.",
        )
    if NO_ROOM.search(said):
        raise HarnessError(
            "client-environment",
            f"{spec}: its environment could not be written under {envs_dir()}:\n{shortened(said)}",
            ROOM,
        )
    raise _Unfit(shortened(said))


def near(name: str, version: str, python: Path | None) -> str:
    """The next releases below and above, as the resolver finds them; silent where it finds none."""
    near = []
    for operator, resolution in (("<=", "highest"), (">=", "lowest")):
        asked = ["--resolution", resolution, *(["--python", str(python)] if python is not None else [])]
        found = ask_uv(
            "pip", "compile", "-", "--no-header", "--no-annotate", "--no-deps", *asked,
            stdin=f"{name}{operator}{version}", offline=False,
        )  # fmt: skip
        if found.returncode == 0 and (match := re.search(r"==(\S+)", found.stdout)):
            near.append(f"{name}=={match[1]}")
    return f"The nearest: {' and '.join(near)}." if near else "Look up its releases on the package index."


def _at_commit(spec: ClientSpec, interpreter: Interpreter, progress: Progress) -> ClientSpec:
    """The same spec at the commit that its branch or tag points to now, so that the record says what was run."""
    progress(f"{spec}: asking which commit that is")
    done = ask_uv(
        "pip", "compile", "-", "--no-header", "--no-annotate", "--no-deps", "--python", interpreter.path,
        stdin=spec.requirements[0], offline=False,
    )  # fmt: skip
    if match := re.search(r" @ (git\+\S+@[0-9a-f]{40})", done.stdout):
        return replace(spec, source=match[1])
    raise HarnessError(
        "client-download",
        f"{spec}: its commit could not be found:\n{shortened(done.stderr)}",
        "Check the address, or name a commit: git+https://host/path@COMMIT.",
    )


def env_key(spec: ClientSpec, interpreter: Interpreter) -> str:
    """The name of the environment: what was asked for, from which source, on which interpreter."""
    asked = [FORMAT, spec.requirements, spec.client.module, str(interpreter.path), interpreter.version]
    if spec.source is not None and not spec.source.startswith("git+"):
        asked.append(_fingerprint(spec))
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _fingerprint(spec: ClientSpec) -> str:
    """What a folder holds, by names, sizes and times: an edited checkout is another client."""
    folder = Path(str(spec.source))
    if not folder.exists():
        raise UsageError("client-spec", f"client {str(spec)!r}: {folder} does not exist", "Name a checkout's folder.")
    if folder.is_dir() and not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise UsageError(
            "client-spec",
            f"client {str(spec)!r}: {folder} has neither pyproject.toml nor setup.py",
            "Name the folder that the package is built from.",
        )
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        inside = path.relative_to(folder).parts
        # Not its code, and partly written by the build itself.
        if path.is_file() and not any(
            part in {".git", "__pycache__", "build", ".venv", ".tox"} or part.endswith(".egg-info") for part in inside
        ):
            state = path.stat()
            digest.update(f"{'/'.join(inside)}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _build_options(spec: ClientSpec) -> list[str]:
    """Wheels only for native code. A checkout is built, and never taken from uv's cache, which does not see edits."""
    options = [
        part for name in WHEELS_ONLY if spec.source is None or name != spec.library for part in ("--only-binary", name)
    ]
    return options if spec.source is None else [*options, "--refresh-package", spec.library]


def _online_if_need_be(
    *arguments: str | Path, stdin: str = "", second: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """First from uv's cache alone, which is faster and needs no network; what that cannot do is asked of the index.

    Only the second answer counts when the first fails: a cache is no proof that a release does not exist.
    second: further options of the second call.
    """
    done = ask_uv(*arguments, stdin=stdin, offline=True)
    if done.returncode == 0 or NO_ROOM.search(done.stderr):
        return done
    return ask_uv(*arguments, *second, stdin=stdin, offline=False)


def ask_uv(*arguments: str | Path, stdin: str = "", offline: bool) -> subprocess.CompletedProcess[str]:
    home = envs_dir()
    try:
        # Started where no project's settings lie: uv would obey them.
        home.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [uv_binary(), *arguments, "--no-python-downloads", *(["--offline"] if offline else [])],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=UV_TIMEOUT_S,
            env=_environment(),
            cwd=home,
        )
    except subprocess.TimeoutExpired as error:
        what = " ".join(str(argument) for argument in arguments[:2])
        raise HarnessError(
            "client-download", f"uv {what} did not end within {UV_TIMEOUT_S} s", "Check the network, and run again."
        ) from error
    except OSError as error:
        raise _unwritable(home, error) from error


def uv_binary() -> Path:
    """uv as installed with the harness, else the one on PATH."""
    # Imported here: the package is only a binary, and a distribution may have left it out.
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise HarnessError("no-uv", "uv, which makes the clients' environments, is not installed", "pip install uv")
    return Path(found)


def envs_dir() -> Path:
    return cache_folder() / "envs"


def _environment() -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    # git never stops to ask a question that nobody sees.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", **passed, **quiet}


def _unwritable(path: Path, error: OSError) -> HarnessError:
    return HarnessError("client-environment", f"{path}: {error.strerror or error}", ROOM)


def shortened(said: str) -> str:
    """uv's own words from its first error on, without its labels, at most 6 lines of them."""
    _, label, error = f"\n{said}".partition("\nerror: ")
    lines = [line.strip().removeprefix("cause: ") for line in (error if label else said).splitlines()]
    return "\n".join([line for line in lines if line][:6])[:1000]


def _minor(python: str | None) -> Minor | None:
    if python is None:
        return None
    major, minor = python.split(".")
    return int(major), int(minor)


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in version)
