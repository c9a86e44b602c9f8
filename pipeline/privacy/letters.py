"""Dead letters: whose a record is that could not be used, from its original bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.domain import exporting, messages
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import CHANNELS, NAMESPACES, Interaction
from pipeline.domain.messages import Misfiled, Slice
from pipeline.domain.reasons import Rejected
from pipeline.domain.validate import EARLIEST_MS, LATEST_MS
from pipeline.privacy.remains import Avro, Unread
from pipeline.privacy.scope import Scope
from pipeline.registry import Framed, Registry
from pipeline.topics import INBOX, REJECTED
from pipeline.wire import Codec, Unlearnt, WireError

REGISTRY_S_MAX = 20.0
_SCHEMAS = frozenset(f"interaction_{channel}" for channel in CHANNELS)


class Letter(msgspec.Struct, frozen=True):
    """What the original bytes of a dead letter tell."""

    identifiers: frozenset[str]
    since: int  # ms: the first sign of it
    content: dict[str, Any] | None  # the event as it was sent, or the interaction that was made of it


class Letters:
    """Reads dead letters, as validation reads events: an identifier that it would refuse names nobody."""

    def __init__(self, codec: Codec, keyring: Keyring, region: str) -> None:
        self._codec = codec
        self._keyring = keyring
        self._region = region

    def read(self, rejected: Mapping[str, Any]) -> Letter:
        """A record of the topic interactions.rejected. Raises Unread where its bytes name nobody and cannot be read."""
        named = set(self._of_key(rejected["key"]))
        times = [int(rejected["timestamp"])]
        content: dict[str, Any] | None = None
        try:
            if rejected["topic"] == INBOX.name:
                content = self._message(rejected["value"], named, times)
            else:
                content = self._event(rejected["value"], named, times)
        except Unread:
            if not named:
                raise
        return Letter(frozenset(named), min(times), content)

    def _event(self, value: bytes | None, named: set[str], times: list[int]) -> dict[str, Any] | None:
        if value is None:
            return None  # a tombstone: its key is all there is
        try:
            schema, event = self._codec.decode(value)
        except (WireError, Unlearnt) as error:
            raise Unread(type(error).__name__) from error
        if schema not in _SCHEMAS:
            raise Unread(f"a {schema}")
        for namespace, said in (event.get("identifiers") or {}).items():
            named.update(self._resolved(namespace, said))
        moments = (event.get("occurred_at"), event.get("received_at"))
        times += [each for each in moments if each is not None and EARLIEST_MS <= each < LATEST_MS]
        return event

    def _message(self, value: bytes | None, named: set[str], times: list[int]) -> dict[str, Any] | None:
        if value is None:
            return None
        try:
            message = messages.decode_message(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unread(type(error).__name__) from error
        named.add(messages.receiver(message))
        held: tuple[Interaction, ...] = (message.interaction,) if isinstance(message, Misfiled) else ()
        if isinstance(message, Slice):
            held = message.interactions
            named.add(message.sender)
        for x in held:
            named.update((x.identifier, *x.links))
            times.append(x.since)
        return exporting.plain(held[0]) if len(held) == 1 else None  # what a slice says besides is about others

    def _of_key(self, key: bytes | None) -> Iterator[str]:
        """Whom a record's key names: back-ends write identifiers, as they are or keyed."""
        if not key:
            return
        try:
            namespace, colon, said = key.decode().partition(":")
        except UnicodeDecodeError:
            return
        if colon:
            yield self._keyring.current_of(f"{namespace}:{said}")
            yield from self._resolved(namespace, said)

    def _resolved(self, namespace: str, said: str) -> Iterator[str]:
        if namespace not in NAMESPACES:
            return
        try:
            yield self._keyring.resolve(namespace, said, self._region).identifier
        except Rejected:
            return


class _Inner(NamedTuple):
    """The original bytes of a dead letter, as a record."""

    value: bytes | None


async def learn(registry: Registry | None, codec: Codec, records: Sequence[Framed]) -> None:
    """Know the schemas of records, and of the events in dead letters, where a registry has them (None: there is none).

    Raises TimeoutError.
    """
    if registry is None:
        return
    async with asyncio.timeout(REGISTRY_S_MAX):
        await registry.learn(records)
        inner = []
        for record in records:
            with contextlib.suppress(WireError):
                value = codec.decode(record.value or b"")[1].get("value")
                inner.append(_Inner(value if isinstance(value, bytes) else None))
        await registry.learn(inner)


class DeadLetters(Avro):
    """Those of somebody who was erased, from before."""

    def __init__(self, scope: Scope, codec: Codec, letters: Letters) -> None:
        how = "each dead letter decoded, and the event in it, its identifiers resolved as validation does"
        super().__init__(REJECTED.name, REJECTED.schema, how, scope, codec)
        self._letters = letters

    def holds(self, record: Mapping[str, Any]) -> str:
        """See Avro."""
        letter = self._letters.read(record)
        from_before = letter.since < self.scope.before
        return "dead letter" if from_before and not self.scope.whole.isdisjoint(letter.identifiers) else ""
