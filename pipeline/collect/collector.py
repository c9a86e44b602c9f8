"""A request's events on their way to Kafka: read, judged, made into records, delivered.

bytes → raw events → Avro events (event) → verdicts (domain.validate, the same that stitch gives) → records → delivered.
Good events go through beside bad ones. What is written is the event as its source sent it, identifiers in clear:
the channel topics are one of the two declared places for that; the record's key has only their keyed form.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pipeline import metrics
from pipeline.collect.event import Events, event_id
from pipeline.collect.limits import Budget, Limits
from pipeline.collect.producer import Outgoing, Producer
from pipeline.domain.identifiers import Keyring
from pipeline.domain.policy import DEFAULT, Policy
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import interaction
from pipeline.partition import partition_of
from pipeline.problems import Problem
from pipeline.topics import channel_topic
from pipeline.wire import Codec, Oversize


class Refused(msgspec.Struct, frozen=True):
    """Why one event of a request was not accepted."""

    index: int
    event_id: str | None
    reason: str
    detail: str


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a request: how many events the broker has, and which ones were refused."""

    accepted: int
    rejected: list[Refused]


@dataclass(frozen=True, slots=True)
class Place:
    """Where events belong: how many partition numbers, and the region of phone numbers without a country prefix."""

    partitions: int
    region: str


class Collector:
    """Takes requests' bodies; knows nothing of HTTP."""

    def __init__(
        self,
        events: Events,
        codec: Codec,
        keyring: Keyring,
        producer: Producer,
        place: Place,
        *,
        limits: Limits,
        budget: Budget,
        policy: Policy = DEFAULT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives seconds since 1970; `budget` is the one that the producer and the bodies share."""
        self.limits = limits
        self.budget = budget
        self._events = events
        self._codec = codec
        self._keyring = keyring
        self._producer = producer
        self._place = place
        self._policy = policy
        self._clock = clock

    def check(self) -> None:
        """Raises producer.Unavailable where no events can be taken now, so that none need be read."""
        self._producer.check()

    async def take(self, body: bytes, public: bool = False) -> Verdict:
        """Returns once the broker has all good events of the body; `public`: they came with a public key.

        Raises Problem where the request as a whole cannot be read, Full and producer.Unavailable where the events
        cannot be taken now; then any of them may have been written all the same, and sending all again is safe.
        """
        began = time.perf_counter()
        raws = envelope(body, self.limits)
        received_at = int(self._clock() * 1000)
        records: list[Outgoing] = []
        refused: list[Refused] = []
        turn_ends = time.monotonic() + self.limits.turn_s
        for index, raw in enumerate(raws):
            try:
                records.append(self._record(raw, received_at, public))
            except Rejected as why:
                refused.append(Refused(index, event_id(raw), why.reason, why.detail))
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + self.limits.turn_s
        if records:
            await self._producer.deliver(records)
        _count(records, refused)
        metrics.COLLECT_SECONDS.observe(time.perf_counter() - began)
        return Verdict(len(records), refused)

    def _record(self, raw: msgspec.Raw, received_at: int, public: bool) -> Outgoing:
        """An event as a record. Raises Rejected."""
        size = memoryview(raw).nbytes
        if size > self.limits.event_bytes:
            raise Rejected(Reason.OVERSIZE, f"{size} bytes, at most {self.limits.event_bytes} are allowed")
        channel, event = self._events.read(raw, received_at, public)
        found = interaction(event, channel, received_at, self._keyring, self._place.region, self._policy)
        try:
            value = self._codec.encode(f"interaction_{channel}", event)
        except Oversize as error:
            raise Rejected(Reason.OVERSIZE, f"as Avro {error}") from error
        partition = partition_of(found.identifier, self._place.partitions)
        return Outgoing(channel_topic(channel), partition, found.identifier.encode(), value)


def _count(records: list[Outgoing], refused: list[Refused]) -> None:
    for topic, number in Counter(record.topic for record in records).items():
        metrics.EVENTS_ACCEPTED.labels(topic.removeprefix("interactions.")).inc(number)
    for reason, number in Counter(each.reason for each in refused).items():
        metrics.EVENTS_REJECTED.labels("collect", reason).inc(number)


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


_envelope = msgspec.json.Decoder(_Envelope)
_SHAPE = 'The body must be {"events": [...]} and no more.'


def envelope(body: bytes, limits: Limits) -> list[msgspec.Raw]:
    """The events of a body, unread. Raises Problem 400 broken_json, missing_field, wrong_type; 413 too_many_events."""
    try:
        raws = _decoded(body)
    except RecursionError as error:
        raise Problem(400, Reason.BROKEN_JSON, "The body is nested too deeply.") from error
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise Problem(400, Reason.MISSING_FIELD if missing else Reason.WRONG_TYPE, _SHAPE) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, Reason.BROKEN_JSON, f"{error}. {_SHAPE}"[:300]) from error
    if len(raws) > limits.events:
        detail = f"{len(raws)} events, at most {limits.events} are allowed: send them in several requests."
        raise Problem(413, Reason.TOO_MANY_EVENTS, detail)
    return raws


def _decoded(body: bytes) -> list[msgspec.Raw]:
    try:
        return _envelope.decode(body).events
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPE.sub(_whole, body)
        if mended == body:
            raise
        return _envelope.decode(mended).events


# JavaScript cuts an emoji in two and still calls the half JSON ("\ud83d"). It is no text in any encoding, so it becomes
# U+FFFD, as browsers do when they write UTF-8; otherwise one such event would take its whole request with it.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]
