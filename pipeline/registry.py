"""A schema registry beside Kafka, through the Confluent REST API; without one configured nothing here does anything.

Who writes registers its schemas at start, and from then on writes them by their ids (`register`); who reads asks for
the ids in a batch before it decodes the batch (`learn`), so that decoding itself never waits. Whatever the registry
answers, a record is judged by the schema alone: an id that it does not know, or whose schema is none of ours, makes
the record an unknown_schema; a registry that is away, or answers nonsense, is waited for, as long as it takes.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from pipeline import logs
from pipeline.settings import BadSetting
from pipeline.topics import Topic
from pipeline.wire import ID_HEADER, ID_MAX, SAID_CHARS_MAX, Codec, Read, UnknownSchema

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
ANSWER_BYTES_MAX = 1024 * 1024
NOT_FOUND = 404, 40403  # status and the API's own code: there is no schema of that id
_PASSING = frozenset({408, 425, 429})  # and all from 500 on

_log = logs.get("registry")


class RegistryFailed(RuntimeError):
    """A schema could not be registered; the text says which, why, and what to do."""


class _Away(Exception):
    """No usable answer; asking again may give one."""


class _TooLarge(_Away):
    """More than a schema may have; asking again will not make it smaller."""


class Framed(Protocol):
    """A record as read."""

    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how much to remember."""

    request_s: float = 5.0  # for one answer
    register_s: float = 60.0  # at start, for all schemas together
    retry_s_min: float = 0.1
    retry_s_max: float = 5.0
    absent_s: float = 60.0  # until an id that the registry did not know is asked for again
    repeat_log_s: float = 30.0  # while it stays away
    requests_max: int = 8  # at once
    ids_max: int = 1_024  # remembered, beyond those of the batch in hand; each may hold a compiled reader (some 50 KB)


class Registry:
    """One process's view of the registry, for one codec; an empty address stands for none."""

    def __init__(self, url: str, codec: Codec, patience: Patience | None = None) -> None:
        """`url`: of the API, `http(s)://[user:password@]host[:port][/path]`. Raises BadSetting where it is none."""
        self._url = url.rstrip("/")
        self._codec = codec
        self._patience = patience or Patience()
        self._ids: dict[int, Read | str] = {}  # the codec reads it, in other threads too
        self._ask_at: dict[int, float] = {}  # id → when to ask again (monotonic seconds), least recently used first
        self._said_at = -math.inf
        if url:
            self._name = _name(url)
            codec.read_ids(self._ids)

    async def register(self, topics: Iterable[Topic]) -> None:
        """Register the schemas of these topics' values, and write them by their ids. Raises RegistryFailed."""
        if not self._url:
            return
        deadline = time.monotonic() + self._patience.register_s
        async with self._session() as session:
            for topic in topics:
                if topic.schema in self._codec.names:
                    await self._register(session, topic, deadline)

    async def _register(self, session: aiohttp.ClientSession, topic: Topic, deadline: float) -> None:
        subject = f"{topic.name}-value"
        schema = self._codec.schema(topic.schema)
        # One text for one schema: some registries give another text another id.
        asked = json.dumps({"schema": json.dumps(schema, separators=(",", ":"))}).encode()
        retry_s = self._patience.retry_s_min
        while True:
            try:
                schema_id = await self._new_id(session, subject, asked)
                break
            except _Away as trouble:
                if time.monotonic() + retry_s > deadline:
                    _log.error("registry_away", registry=self._name, problem=str(trouble))
                    raise RegistryFailed(
                        f"The schema registry at {self._name} has not taken {subject} within "
                        f"{self._patience.register_s:g} s: {trouble}. Start it, or mend THROUGHLINE_SCHEMA_REGISTRY."
                    ) from trouble
                self._say_away(trouble)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, self._patience.retry_s_max)
        self._remember(schema_id, self._codec.reading(schema), math.inf)
        self._codec.write_id(topic.schema, schema_id)
        _log.info("schema_registered", subject=subject, id=schema_id)

    async def _new_id(self, session: aiohttp.ClientSession, subject: str, asked: bytes) -> int:
        """Raises _Away, RegistryFailed."""
        status, answer = await self._request(session, "POST", f"/subjects/{subject}/versions", asked)
        if status != 200:
            said = str(answer.get("message", ""))[:SAID_CHARS_MAX]
            _log.error("schema_refused", registry=self._name, subject=subject, status=status, message=said)
            raise RegistryFailed(
                f"The schema registry at {self._name} does not take the schema of {subject}: it answers {status} "
                f"({said}). THROUGHLINE_SCHEMA_REGISTRY must be the address of its Confluent API."
            )
        schema_id = answer.get("id")
        if not isinstance(schema_id, int) or not 0 <= schema_id <= ID_MAX:
            raise _Away("its answer has no id")
        return schema_id

    async def learn(self, records: Sequence[Framed], stop: asyncio.Event | None = None) -> bool:
        """Know all schemas that the records name by id; waits for the registry for as long as it is away.

        Returns True then, and False when told to stop before.
        """
        if not self._url:
            return True
        named = {
            int.from_bytes(value[1:ID_HEADER])
            for each in records
            if (value := each.value) and value[0] == 0 and len(value) >= ID_HEADER
        }
        now = time.monotonic()
        unknown = [each for each in named if each <= ID_MAX and self._use(each) <= now]
        if unknown and not await self._fetch(unknown, stop):
            return False
        self._forget(named)
        return True

    def _use(self, schema_id: int) -> float:
        """Put an id behind the others; when to ask for it."""
        at = self._ask_at.pop(schema_id, None)
        if at is None:
            return -math.inf
        self._ask_at[schema_id] = at
        return at

    def _remember(self, schema_id: int, known: Read | str, ask_at: float) -> None:
        self._ids[schema_id] = known
        self._ask_at.pop(schema_id, None)
        self._ask_at[schema_id] = ask_at

    def _forget(self, needed: set[int]) -> None:
        """Let the ids go that were not used for longest."""
        excess = len(self._ids) - self._patience.ids_max
        if excess > 0:
            for each in [each for each in self._ask_at if each not in needed][:excess]:
                del self._ask_at[each], self._ids[each]

    async def _fetch(self, wanted: list[int], stop: asyncio.Event | None) -> bool:
        """Ask for the ids, a few at once, until each has its answer. False when told to stop before."""
        retry_s, away_since = self._patience.retry_s_min, 0.0
        async with self._session() as session:
            while wanted:
                some, wanted = wanted[: self._patience.requests_max], wanted[self._patience.requests_max :]
                troubles = await asyncio.gather(*(self._ask(session, each) for each in some))
                left = [each for each, trouble in zip(some, troubles, strict=True) if trouble is not None]
                trouble = next((each for each in troubles if each is not None), None)
                if trouble is None:
                    retry_s = self._patience.retry_s_min
                    continue
                wanted = left + wanted
                away_since = away_since or time.monotonic()
                self._say_away(trouble)
                if await _stopped(stop, retry_s):
                    return False
                retry_s = min(2 * retry_s, self._patience.retry_s_max)
        if away_since:
            _log.info("registry_back", registry=self._name, away_s=round(time.monotonic() - away_since, 1))
            self._said_at = -math.inf
        return True

    async def _ask(self, session: aiohttp.ClientSession, schema_id: int) -> _Away | None:
        """Ask for one id, and remember the answer; or say why there is none."""
        try:
            status, answer = await self._request(session, "GET", f"/schemas/ids/{schema_id}")
        except _TooLarge:
            self._remember(schema_id, "it is too large", math.inf)
            return None
        except _Away as trouble:
            return trouble
        if (status, answer.get("error_code")) == NOT_FOUND:
            again_at = time.monotonic() + self._patience.absent_s
            self._remember(schema_id, "it has none", again_at)
            return None
        if status != 200 or not isinstance(answer.get("schema"), str):
            return _Away(f"it answers {status}")
        try:
            known: Read | str = self._codec.reading(_avro(answer))
        except UnknownSchema as foreign:
            known = str(foreign)
            _log.warning("foreign_schema", registry=self._name, id=schema_id, problem=known)
        self._remember(schema_id, known, math.inf)  # what an id stands for never changes
        return None

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._patience.request_s))

    async def _request(
        self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        """(status, JSON object) of an answer that will not change by asking again. Raises _Away."""
        headers = {"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE}
        try:
            async with session.request(
                method, self._url + path, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status >= 500 or response.status in _PASSING:
                    raise _Away(f"it answers {response.status}")
                data = bytearray()
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > ANSWER_BYTES_MAX:
                        raise (_TooLarge if response.status == 200 else _Away)("its answer is too large")
                return response.status, _object(bytes(data), response.status)
        except TimeoutError as problem:
            raise _Away(f"no answer within {self._patience.request_s:g} s") from problem
        except aiohttp.ClientError as problem:
            raise _Away(str(problem)[:SAID_CHARS_MAX] or type(problem).__name__) from problem

    def _say_away(self, trouble: _Away) -> None:
        now = time.monotonic()
        if now - self._said_at > self._patience.repeat_log_s:
            self._said_at = now
            _log.warning("registry_away", registry=self._name, problem=str(trouble))


def _name(url: str) -> str:
    """The address without user and password. Raises BadSetting."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise BadSetting("THROUGHLINE_SCHEMA_REGISTRY must be an address like http://registry:8081")
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


def _object(data: bytes, status: int) -> dict[str, Any]:
    """Raises _Away where an answer that counts is no JSON object; a refusal may be any text."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as problem:
        if status == 200:
            raise _Away("its answer is no JSON") from problem
        return {}
    return answer if isinstance(answer, dict) else {}


def _avro(answer: dict[str, Any]) -> Any:
    """The schema in an answer. Raises UnknownSchema where it is not Avro in JSON, whole."""
    kind = answer.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise UnknownSchema(f"it is {str(kind)[:SAID_CHARS_MAX]}, not Avro")
    if answer.get("references"):
        raise UnknownSchema("it refers to other schemas")
    try:
        return json.loads(answer["schema"])
    except (ValueError, RecursionError) as problem:
        raise UnknownSchema("it is no JSON") from problem


async def _stopped(stop: asyncio.Event | None, seconds: float) -> bool:
    """Wait; True as soon as told to stop."""
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
