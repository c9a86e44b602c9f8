"""A request's events, observations or outcomes on their way to Kafka: read, judged, made into records, delivered.

bytes → raw events → Avro events (event) → verdicts (domain.validate, the same that stitch gives) → records → delivered.
Good events go through beside bad ones. What is written is the event as its source sent it, identifiers in clear:
the channel topics are one of the two declared places for that; the record's key has only their keyed form.
Observations and outcomes go the same way (observed, domain.observations; outcome, domain.outcomes); of them the topics
have what the domain has made: masked, and keyed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from pipeline import metrics
from pipeline.collect import observed
from pipeline.collect import outcome as outcome_read
from pipeline.collect.event import Events
from pipeline.collect.limits import Budget, Limits
from pipeline.collect.producer import Outgoing, Producer
from pipeline.collect.strict import id_of
from pipeline.domain.identifiers import Keyring
from pipeline.domain.observations import observation
from pipeline.domain.outcomes import outcome
from pipeline.domain.policy import DEFAULT, Policy
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import interaction
from pipeline.partition import partition_of
from pipeline.problems import Problem
from pipeline.topics import OBSERVATIONS, OUTCOMES, channel_topic
from pipeline.wire import Codec, Oversize


class Refused(msgspec.Struct, frozen=True):
    """Why one event of a request was not accepted."""

    index: int
    event_id: str | None
    reason: str
    detail: str


class RefusedObservation(msgspec.Struct, frozen=True):
    """Why one observation of a request was not accepted."""

    index: int
    observation_id: str | None
    reason: str
    detail: str


class RefusedOutcome(msgspec.Struct, frozen=True):
    """Why one outcome of a request was not accepted."""

    index: int
    outcome_id: str | None
    reason: str
    detail: str


class Told(NamedTuple):
    """What is said of a list that is no events, and counted of it."""

    what: str  # the list's name
    id_name: str
    refusal: type[RefusedObservation | RefusedOutcome]
    accepted: metrics.Count
    rejected: metrics.Count


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a request: how much of it the broker has, and what was refused."""

    accepted: int
    rejected: Sequence[Refused | RefusedObservation | RefusedOutcome]


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
        records, refused = await self._take(raws, lambda raw, at: self._record(raw, at, public))
        _count(records, refused)
        metrics.COLLECT_SECONDS.observe(time.perf_counter() - began)
        why = [Refused(n, id_of(raws[n], "event_id"), each.reason, each.detail) for n, each in refused]
        return Verdict(len(records), why)

    async def observe(self, body: bytes) -> Verdict:
        """Returns once the broker has all good observations of the body. Raises what `take` does."""
        accepted = metrics.OBSERVATIONS_ACCEPTED.labels("collect")
        told = Told("observations", "observation_id", RefusedObservation, accepted, metrics.OBSERVATIONS_REJECTED)
        return await self._listed(body, told, self._observation)

    async def account(self, body: bytes) -> Verdict:
        """Returns once the broker has all good outcomes of the body. Raises what `take` does."""
        told = Told("outcomes", "outcome_id", RefusedOutcome, metrics.OUTCOMES_ACCEPTED, metrics.OUTCOMES_REJECTED)
        return await self._listed(body, told, self._outcome)

    async def _listed(self, body: bytes, told: Told, record: Callable[[msgspec.Raw, int], Outgoing]) -> Verdict:
        began = time.perf_counter()
        raws = envelope(body, self.limits, told.what)
        records, refused = await self._take(raws, record)
        told.accepted.inc(len(records))
        _count_refused(told.rejected, refused)
        metrics.COLLECT_SECONDS.observe(time.perf_counter() - began)
        why = [told.refusal(n, id_of(raws[n], told.id_name), each.reason, each.detail) for n, each in refused]
        return Verdict(len(records), why)

    async def _take(
        self, raws: Sequence[msgspec.Raw], record: Callable[[msgspec.Raw, int], Outgoing]
    ) -> tuple[list[Outgoing], list[tuple[int, Rejected]]]:
        """The records of what is good, delivered, and the places of the rest; others get a turn meanwhile."""
        received_at = int(self._clock() * 1000)
        records: list[Outgoing] = []
        refused: list[tuple[int, Rejected]] = []
        turn_ends = time.monotonic() + self.limits.turn_s
        for index, raw in enumerate(raws):
            try:
                self._check_size(raw)
                records.append(record(raw, received_at))
            except Rejected as why:
                refused.append((index, why))
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + self.limits.turn_s
        if records:
            await self._producer.deliver(records)
        return records, refused

    def _check_size(self, raw: msgspec.Raw) -> None:
        size = memoryview(raw).nbytes
        if size > self.limits.event_bytes:
            raise Rejected(Reason.OVERSIZE, f"{size} bytes, at most {self.limits.event_bytes} are allowed")

    def _record(self, raw: msgspec.Raw, received_at: int, public: bool) -> Outgoing:
        """An event as a record. Raises Rejected."""
        channel, event = self._events.read(raw, received_at, public)
        found = interaction(event, channel, received_at, self._keyring, self._place.region, self._policy)
        try:
            value = self._codec.encode(f"interaction_{channel}", event)
        except Oversize as error:
            raise Rejected(Reason.OVERSIZE, f"as Avro {error}") from error
        partition = partition_of(found.identifier, self._place.partitions)
        return Outgoing(channel_topic(channel), partition, found.identifier.encode(), value)

    def _observation(self, raw: msgspec.Raw, received_at: int) -> Outgoing:
        """An observation as a record. Raises Rejected."""
        found = observation(observed.read(raw, received_at), received_at, self._place.region)
        value = self._codec.encode(OBSERVATIONS.schema, msgspec.structs.asdict(found))
        return Outgoing(OBSERVATIONS.name, partition_of(found.key, self._place.partitions), found.key.encode(), value)

    def _outcome(self, raw: msgspec.Raw, received_at: int) -> Outgoing:
        """An outcome as a record. Raises Rejected."""
        found = outcome(outcome_read.read(raw, received_at), received_at, self._keyring, self._place.region)
        value = self._codec.encode(OUTCOMES.schema, found.record)
        return Outgoing(OUTCOMES.name, partition_of(found.key, self._place.partitions), found.key.encode(), value)


def _count(records: list[Outgoing], refused: list[tuple[int, Rejected]]) -> None:
    for topic, number in Counter(record.topic for record in records).items():
        metrics.EVENTS_ACCEPTED.labels(topic.removeprefix("interactions.")).inc(number)
    _count_refused(metrics.EVENTS_REJECTED, refused)


def _count_refused(metric: metrics.Count, refused: list[tuple[int, Rejected]]) -> None:
    for reason, number in Counter(why.reason for _, why in refused).items():
        metric.labels("collect", reason).inc(number)


class _Events(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


class _Observations(msgspec.Struct, forbid_unknown_fields=True):
    observations: list[msgspec.Raw]


class _Outcomes(msgspec.Struct, forbid_unknown_fields=True):
    outcomes: list[msgspec.Raw]


_ENVELOPES: dict[str, msgspec.json.Decoder[Any]] = {
    "events": msgspec.json.Decoder(_Events),
    "observations": msgspec.json.Decoder(_Observations),
    "outcomes": msgspec.json.Decoder(_Outcomes),
}


def envelope(body: bytes, limits: Limits, name: str = "events") -> list[msgspec.Raw]:
    """What is in the list of that name, unread.

    Raises Problem 400 broken_json, missing_field, wrong_type; 413 too_many_events.
    """
    shape = f'The body must be {{"{name}": [...]}} and no more.'
    try:
        raws = _decoded(body, name)
    except RecursionError as error:
        raise Problem(400, Reason.BROKEN_JSON, "The body is nested too deeply.") from error
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise Problem(400, Reason.MISSING_FIELD if missing else Reason.WRONG_TYPE, shape) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, Reason.BROKEN_JSON, f"{error}. {shape}"[:300]) from error
    if len(raws) > limits.events:
        detail = f"{len(raws)} {name}, at most {limits.events} are allowed: send them in several requests."
        raise Problem(413, Reason.TOO_MANY_EVENTS, detail)
    return raws


def _decoded(body: bytes, name: str) -> list[msgspec.Raw]:
    decode = _ENVELOPES[name].decode
    try:
        return getattr(decode(body), name)  # type: ignore[no-any-return]  # a list of what is unread
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPE.sub(_whole, body)
        if mended == body:
            raise
        return getattr(decode(mended), name)  # type: ignore[no-any-return]  # as above


# JavaScript cuts an emoji in two and still calls the half JSON ("\ud83d"). It is no text in any encoding, so it becomes
# U+FFFD, as browsers do when they write UTF-8; otherwise one such event would take its whole request with it.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]
