"""Apache Kafka's jars: resolved once by jgo, checked against `kafka.sha256`, kept in the downloads cache.

The list of checksums is the definition of the broker: a resolver that picks another version of anything (as happened
with kafka-clients) is refused before Java sees it. An upgrade replaces the list.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.settings import Settings

VERSION = "4.3.1"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
RESOLVE_S_MAX = 900
_CHECKSUMS = Path(__file__).with_name("kafka.sha256")


class NoJars(RuntimeError):
    """Kafka's jars could not be had; says why and what to do."""


def expected() -> dict[str, str]:
    """File name → SHA-256 in hex, of every jar of the broker."""
    pairs = (line.split() for line in _CHECKSUMS.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def kafka_jars(settings: Settings) -> list[Path]:
    """The broker's jars, fetched when they are not in the cache (46 MB, with progress on stderr). Raises NoJars."""
    return cached(settings.cache, expected(), lambda: _resolve(settings.cache))


def cached(cache: Path, wanted: Mapping[str, str], resolve: Callable[[], Sequence[Path]]) -> list[Path]:
    """The wanted files (name → SHA-256) in the cache; `resolve` says where to copy them from when one is missing or
    not what it must be. Raises NoJars."""
    folder = cache / f"kafka-{VERSION}"
    if _differences(folder, wanted):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two stacks that start at once fetch once
            if _differences(folder, wanted):
                _fetch(folder, wanted, resolve)
    return [folder / name for name in sorted(wanted)]


def _differences(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """The files that are missing from a folder, or not what they must be."""
    return [name for name, digest in wanted.items() if _sha256(folder / name) != digest]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _fetch(folder: Path, wanted: Mapping[str, str], resolve: Callable[[], Sequence[Path]]) -> None:
    print(f"Fetching Apache Kafka {VERSION} (46 MB, once, into {folder}) …", file=sys.stderr, flush=True)
    found = {path.name: path for path in resolve()}
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in wanted:
        if name in found:
            shutil.copyfile(found[name], draft / name)
    wrong = _differences(draft, wanted)
    if wrong:
        shutil.rmtree(draft)
        raise NoJars(
            f"The jars fetched for Kafka {VERSION} are not the expected ones: {', '.join(wrong[:5])}. A repository or "
            f"mirror gave something else; remove {folder.parent} and try again, with another network if it persists."
        )
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    shutil.rmtree(folder.parent / "jgo", ignore_errors=True)


def _resolve(cache: Path) -> list[Path]:
    """Let jgo find and download. It reads the user's own configuration, so that a company's mirror is used."""
    command = [
        sys.executable,
        "-m",
        "jgo",
        "--cache-dir",
        str(cache / "jgo"),
        "--resolver",
        "python",
        "--timeout",
        "60",
    ]
    command += ["--wrap", "raw", "info", "jars", COORDINATES]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and a path of ours
            command, stdout=subprocess.PIPE, text=True, timeout=RESOLVE_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoJars(f"Fetching Kafka took more than {RESOLVE_S_MAX} s: check the network and try again.") from error
    paths = [Path(line.strip()) for line in done.stdout.splitlines() if line.strip().endswith(".jar")]
    if done.returncode != 0 or not paths:
        raise NoJars(
            f"jgo could not fetch Kafka {VERSION} (status {done.returncode}; its message is above). Check the network "
            f"or proxy and try again, or copy {cache} from a machine that has it."
        )
    return paths
