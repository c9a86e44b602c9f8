"""The secrets of one installation: made at first start, then only read.

`keys.json` is for people and their tools (API keys, ClickHouse's user); `secrets.json` is for the processes alone.
Both are readable by their owner only, and written whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings import Settings


class BrokenKeys(ValueError):
    """A key file that cannot be used; says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All secrets. Their repr shows none of them, so that no log can."""

    ingest: str = field(repr=False)  # a back-end's: any source, any namespace
    read: str = field(repr=False)
    admin: str = field(repr=False)
    clickhouse_user: str
    clickhouse_password: str = field(repr=False)
    identifier_keys: Mapping[str, bytes] = field(repr=False)  # name → HMAC key of phone and e-mail; old ones stay
    identifier_key: str  # the name of the one that new identifiers get
    worker_token: str = field(repr=False)  # between serve and the stitch workers
    session_key: str = field(repr=False)  # signs the desk's cookies


def _new_keys() -> dict[str, object]:
    return {
        "ingest": f"ingest_{secrets.token_urlsafe(24)}",
        "read": f"read_{secrets.token_urlsafe(24)}",
        "admin": f"admin_{secrets.token_urlsafe(24)}",
        "clickhouse": {"user": "throughline", "password": secrets.token_urlsafe(24)},
    }


def _new_secrets() -> dict[str, object]:
    return {
        "identifier_keys": {"k1": secrets.token_hex(32)},
        "identifier_key": "k1",
        "worker_token": secrets.token_urlsafe(32),
        "session_key": secrets.token_hex(32),
    }


def load_or_create(settings: Settings) -> Keys:
    """The keys under the home, made when missing (several processes may ask at once). Raises BrokenKeys."""
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    keys, hidden = home / "keys.json", home / "secrets.json"
    if not (keys.exists() and hidden.exists()):
        with (home / ".keys.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not hidden.exists():
                _write(hidden, _new_secrets())
            if not keys.exists():
                _write(keys, _new_keys())
    return _parse(keys, hidden)


def _write(path: Path, content: dict[str, object]) -> None:
    """Put the whole file there with mode 0600, never a part of it."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _parse(keys: Path, hidden: Path) -> Keys:
    path = keys
    try:
        public = json.loads(keys.read_text())
        user, password = public["clickhouse"]["user"], public["clickhouse"]["password"]
        texts = [public["ingest"], public["read"], public["admin"], user, password]
        path = hidden
        private = json.loads(hidden.read_text())
        texts += [private["identifier_key"], private["worker_token"], private["session_key"]]
        identifier_keys = {name: bytes.fromhex(text) for name, text in private["identifier_keys"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BrokenKeys(f"{path} is not usable ({error!r}): repair it, or restore it from a backup") from error
    if not all(isinstance(text, str) and text for text in texts):
        raise BrokenKeys(f"{path.parent}: keys.json and secrets.json must hold non-empty texts only")
    if texts[5] not in identifier_keys or any(len(key) != 32 for key in identifier_keys.values()):
        raise BrokenKeys(f"{hidden}: identifier_keys must hold 32-byte keys in hex, among them {texts[5]!r}")
    return Keys(
        ingest=texts[0],
        read=texts[1],
        admin=texts[2],
        clickhouse_user=user,
        clickhouse_password=password,
        identifier_keys=identifier_keys,
        identifier_key=texts[5],
        worker_token=texts[6],
        session_key=texts[7],
    )
