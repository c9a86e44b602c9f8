"""The secrets of one installation: made at first start, then only read.

`keys.json` is for people and their tools (API keys, ClickHouse's users); `secrets.json` is for the processes alone.
Both are readable by their owner only, and written whole or not at all.

2026-11-24: identifier keys rotate (`pipeline/rotate`). A key that was made stays, in the order of making, because
identifiers under later ones are derived through it. While a migration to another key is under way, `migrating_to` names
that key, and only the migration works: `under_way` is what the others ask first. The sealing key never changes.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.domain.identifiers import GENERATIONS_MAX, Keyring
from pipeline.domain.policy import NO_PLACEHOLDERS, Placeholders
from pipeline.settings import Settings


class BrokenKeys(ValueError):
    """A key file that cannot be used; says which, and what to do."""


class NoRotation(ValueError):
    """The identifier key cannot be changed now; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All secrets. Their repr shows none of them, so that no log can."""

    ingest: str = field(repr=False)  # a back-end's: any source, any namespace
    public: str = field(repr=False)  # a page's or an app's, that anybody can read: it may send events, and no more
    read: str = field(repr=False)
    admin: str = field(repr=False)
    clickhouse_user: str
    clickhouse_password: str = field(repr=False)
    bi_user: str  # reads ClickHouse's views, and no more
    bi_password: str = field(repr=False)
    identifier_keys: Mapping[str, bytes] = field(repr=False)  # name → HMAC key of phone and e-mail; old ones stay
    identifier_key: str  # the name of the one that new identifiers get
    worker_token: str = field(repr=False)  # between serve and the stitch workers
    session_key: str = field(repr=False)  # signs the desk's cookies
    sealing_key: bytes = field(default=b"", repr=False)  # for what is known of erased identifiers; never changes
    webhook: str = field(default="", repr=False)  # signs what is sent to the webhook; whoever receives it needs it
    migrating_to: str = ""  # the identifier key that a migration, begun and not finished, makes the current one


def _new_keys() -> dict[str, object]:
    return {
        "ingest": f"ingest_{secrets.token_urlsafe(24)}",
        "read": f"read_{secrets.token_urlsafe(24)}",
        "admin": f"admin_{secrets.token_urlsafe(24)}",
        "public": f"public_{secrets.token_urlsafe(24)}",
        "webhook": f"webhook_{secrets.token_urlsafe(32)}",
        "clickhouse": {"user": "throughline", "password": secrets.token_urlsafe(24)},
        "bi": {"user": "bi", "password": secrets.token_urlsafe(24)},
    }


def _new_secrets() -> dict[str, object]:
    return {
        "identifier_keys": {"k1": secrets.token_hex(32)},
        "identifier_key": "k1",
        "worker_token": secrets.token_urlsafe(32),
        "session_key": secrets.token_hex(32),
        "sealing_key": secrets.token_hex(32),
    }


#: What older homes do not have.
_ADDED_KEYS, _ADDED_SECRETS = ("public", "webhook", "bi"), ("sealing_key",)


def load_or_create(settings: Settings) -> Keys:
    """The keys under the home, made when missing (several processes may ask at once). Raises BrokenKeys."""
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    keys, hidden = home / "keys.json", home / "secrets.json"
    if not (_has(keys, _ADDED_KEYS) and _has(hidden, _ADDED_SECRETS)):
        with _locked(home):
            _complete(hidden, _ADDED_SECRETS, _new_secrets())
            _complete(keys, _ADDED_KEYS, _new_keys())
    return _parse(keys, hidden)


def _has(path: Path, names: Sequence[str]) -> bool:
    return path.exists() and _content(path).keys() >= set(names)


def _complete(path: Path, added: Sequence[str], new: dict[str, object]) -> None:
    """Make a file that is missing; add to an older one what came later."""
    if not path.exists():
        _write(path, new)
    elif missing := {name: new[name] for name in added if name not in _content(path)}:
        _write(path, {**_content(path), **missing})


def keyring(keys: Keys, placeholders: Placeholders = NO_PLACEHOLDERS) -> Keyring:
    """What keys personal identifiers. `placeholders` are the policy's: whoever takes in what sources say needs them."""
    return Keyring(keys.identifier_keys, keys.identifier_key, keys.sealing_key, placeholders)


def under_way(settings: Settings) -> str:
    """The key to which a migration was begun and not finished; '' where none was, or there are no keys yet."""
    path = settings.home / "secrets.json"
    return str(_content(path).get("migrating_to", "")) if path.exists() else ""


def add_identifier_key(settings: Settings) -> str:
    """Make another identifier key, readable and not yet current; returns its name. Raises BrokenKeys, NoRotation."""
    made = load_or_create(settings)
    if made.migrating_to:
        raise NoRotation(f"a migration to {made.migrating_to} is under way: finish it with `throughline keys migrate`")
    if waiting := _waiting(made):
        raise NoRotation(f"key {waiting} is there and not current yet: `throughline keys migrate` makes it so")
    if len(made.identifier_keys) == GENERATIONS_MAX:
        raise NoRotation(f"there are {GENERATIONS_MAX} identifier keys, and no more are possible")
    number = len(made.identifier_keys) + 1
    while (name := f"k{number}") in made.identifier_keys:
        number += 1
    _change(settings, lambda content: content["identifier_keys"].update({name: secrets.token_hex(32)}))
    return name


def next_identifier_key(settings: Settings) -> str:
    """The key that a migration leads to. Raises BrokenKeys, and NoRotation where the current one is the newest."""
    made = load_or_create(settings)
    name = made.migrating_to or _waiting(made)
    if not name:
        raise NoRotation(f"key {made.identifier_key} is the newest: `throughline keys rotate` makes another one")
    return name


def begin_migration(settings: Settings) -> str:
    """Mark that everything is being renamed to the newest key; returns its name. Again: the same.

    Raises BrokenKeys, NoRotation.
    """
    name = next_identifier_key(settings)
    _change(settings, lambda content: content.update(migrating_to=name))
    return name


def finish_migration(settings: Settings) -> None:
    """Make the key that was migrated to the current one, and take the mark away, in one step. Raises BrokenKeys."""
    _change(settings, lambda content: content.update(identifier_key=content.pop("migrating_to")))


def _waiting(made: Keys) -> str:
    """The newest key, where it is not the current one; else ''."""
    newest = list(made.identifier_keys)[-1]
    return newest if newest != made.identifier_key else ""


def _change(settings: Settings, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of secrets.json under the lock."""
    hidden = settings.home / "secrets.json"
    with _locked(settings.home):
        content = dict(_content(hidden))
        change(content)
        _write(hidden, content)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / ".keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _content(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none: `_parse` says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
    except ValueError:
        raise BrokenKeys(f"{path} is not JSON: repair it, or restore it from a backup") from None
    return content if isinstance(content, dict) else {}


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
        texts += [private["identifier_key"], private["worker_token"], private["session_key"], public["public"]]
        texts += [public["webhook"], public["bi"]["user"], public["bi"]["password"]]
        identifier_keys = {name: bytes.fromhex(text) for name, text in private["identifier_keys"].items()}
        sealing_key, migrating_to = bytes.fromhex(private["sealing_key"]), str(private.get("migrating_to", ""))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BrokenKeys(f"{path} is not usable ({error!r}): repair it, or restore it from a backup") from error
    if not all(isinstance(text, str) and text for text in texts):
        raise BrokenKeys(f"{path.parent}: keys.json and secrets.json must hold non-empty texts only")
    if texts[5] not in identifier_keys or any(len(key) != 32 for key in identifier_keys.values()):
        raise BrokenKeys(f"{hidden}: identifier_keys must hold 32-byte keys in hex, among them {texts[5]!r}")
    if len(sealing_key) != 32 or (migrating_to and migrating_to not in identifier_keys):
        raise BrokenKeys(f"{hidden}: sealing_key must be 32 bytes in hex, and migrating_to one of identifier_keys")
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
        public=texts[8],
        sealing_key=sealing_key,
        webhook=texts[9],
        bi_user=texts[10],
        bi_password=texts[11],
        migrating_to=migrating_to,
    )
