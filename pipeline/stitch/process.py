"""What a stitch worker does with a batch: bytes → event → interaction → profile, and what follows, out as bytes.

Each record of a channel's topic ends in exactly one of these: stored with its profile, known already, on its way to
the partition that it belongs to, refused for an erasure, or in interactions.rejected with its reason, origin and
bytes; the tallies count which (`domain/tallies.py`). Bad data never raises;
whatever does raise is a fault of ours or of the machine, and ends the worker before anything of the batch counts.

One Stitch serves all partitions of a worker; batches of different partitions may be under way at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from pipeline import metrics
from pipeline.domain import messages, rollup, tallies
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import CHANNELS, Interaction
from pipeline.domain.messages import Judged, Judging, Misfiled
from pipeline.domain.policy import DEFAULT, Policy
from pipeline.domain.profile import Work
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.recalled import NOTHING_RECALLED, Recalled, Seal
from pipeline.domain.records import name
from pipeline.domain.rules import Rules
from pipeline.domain.scores import ScoreRow
from pipeline.domain.scoring import Scoring
from pipeline.domain.step import Step
from pipeline.domain.validate import interaction
from pipeline.engine.batch import Batch, Record
from pipeline.partition import partition_of
from pipeline.stitch.definitions import Definitions
from pipeline.stitch.outputs import Outputs, score
from pipeline.topics import (
    CUSTOMER_SCORES,
    EVIDENCE,
    INBOX,
    REJECTED,
    TALLIES,
    TIMELINES,
    TOUCHPOINT_SCORES,
    channel_topic,
)
from pipeline.wire import RECORD_BYTES, BrokenAvro, Codec, Oversize, UnknownSchema

PAUSE = 64  # records between two yields
ENVELOPE_BYTES = 8 * 1024  # what a rejected record needs beside the bytes of the original (key and texts)
KEY_BYTES = 4 * 1024  # of an original key; no identifier's is longer

_SCHEMAS = {channel_topic(channel): (f"interaction_{channel}", channel) for channel in CHANNELS}
_REASONS = {UnknownSchema: Reason.UNKNOWN_SCHEMA, BrokenAvro: Reason.BROKEN_AVRO, Oversize: Reason.OVERSIZE}


def _nobody(changed: set[str]) -> None:
    """For those whom nobody watches."""


def _count(dropped: Counter[str]) -> None:
    for reason, n in dropped.items():
        metrics.EVENTS_DROPPED.labels(reason).inc(n)


class Stitch:
    """The whole work on one batch, for every batch of a worker."""

    def __init__(
        self,
        codec: Codec,
        keyring: Keyring,
        rules: Rules | Definitions,
        partitions: int,
        region: str,
        watch: Callable[[set[str]], None] = _nobody,
        seal: Seal = name,
        recalled: Recalled = NOTHING_RECALLED,
        policy: Policy = DEFAULT,
    ) -> None:
        """`partitions`: of the topics that stitch reads. `watch` hears which profiles changed, after the commit.

        `seal` is the keyring's (by default for tests: without a secret), `recalled` what `erasures` has read.
        """
        self._codec = codec
        self._keyring = keyring
        self._definitions = rules if isinstance(rules, Definitions) else Definitions(rules)
        self._partitions = partitions
        self._region = region
        self._watch = watch
        self._seal = seal
        self._recalled = recalled
        self._policy = policy
        self._outputs = Outputs(keyring, policy, region)

    def process(self, batch: Batch) -> Iterator[None]:
        """Do the batch, yielding every few records so that the loop can be given back. Exhaust it, or give it up."""
        work = self._work(batch)
        for n, record in enumerate(batch.inbox, 1):
            if self._take_message(batch, work, record):
                # What came before is told by the definitions by which it was judged.
                yield from self._finish(batch, work)
                work = self._work(batch)
            if n % PAUSE == 0:
                self._send(batch, work.step)
                yield
        for n, record in enumerate(batch.sources, 1):
            self._take_event(batch, work, record)
            if n % PAUSE == 0:
                self._send(batch, work.step)
                yield
        yield from self._finish(batch, work)

    def _work(self, batch: Batch) -> Work:
        rules = self._definitions.rules(batch)
        return Work(batch, rules, batch.cache, self._seal, self._recalled)

    def _finish(self, batch: Batch, work: Work) -> Iterator[None]:
        """Close what was opened, and send all that follows."""
        for _ in work.close():
            self._send(batch, work.step)
            yield
        self._send(batch, work.step)
        self._send_cells(batch, work)
        self._send_tallies(batch, work)
        if changed := work.step.changed:
            batch.after_commit(lambda: self._watch(changed))
        if dropped := work.step.dropped:
            batch.after_commit(lambda: _count(dropped))

    def _take_event(self, batch: Batch, work: Work, record: Record) -> None:
        """A record of a channel's topic."""
        schema, channel = _SCHEMAS[record.topic]
        tally = work.tallies.of(channel)
        tally.read(record.offset)
        try:
            x = self._interaction(record, schema, channel, work.scoring)
        except Rejected as refused:
            tally.rejected += 1
            self._reject(batch, record, refused)
            return
        if work.knows(x.identifier) or partition_of(x.identifier, self._partitions) == batch.partition:
            work.store(x)
        else:
            tally.rekeyed_out += 1
            self._send_inbox(batch, x.identifier, messages.encode(Misfiled(x)))

    def _interaction(self, record: Record, schema: str, channel: str, scoring: Scoring) -> Interaction:
        """The interaction in a record of the channel's topic. Raises Rejected."""
        value = record.value
        if value is None:
            raise Rejected(Reason.TOMBSTONE)
        try:
            found, event = self._codec.decode(value)
        except (UnknownSchema, BrokenAvro, Oversize) as problem:
            raise Rejected(_REASONS[type(problem)], str(problem)) from problem
        if found != schema:
            raise Rejected(Reason.UNKNOWN_SCHEMA, f"{found} does not belong on this topic")
        x = interaction(event, channel, record.timestamp, self._keyring, self._region, self._policy)
        return scoring.with_issue(x)

    def _take_message(self, batch: Batch, work: Work, record: Record) -> bool:
        """A record of the inbox; True where other definitions judge from there on.

        One on the wrong partition is passed on as it is.
        """
        if record.value is None:
            self._reject(batch, record, Rejected(Reason.TOMBSTONE))
            return False
        try:
            message = messages.decode_message(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            self._reject(
                batch, record, Rejected(Reason.BROKEN_AVRO, f"no message between profiles: {type(problem).__name__}")
            )
            return False
        if isinstance(message, Judging):
            return self._definitions.heed(batch, message)
        if isinstance(message, Judged):
            self._definitions.look_for(message.definition)
        receiver = messages.receiver(message)
        if work.knows(receiver) or partition_of(receiver, self._partitions) == batch.partition:
            work.advance(message)
            return False
        if isinstance(message, Misfiled):
            tally = work.tallies.of(message.interaction.channel)
            tally.rekeyed_in += 1
            tally.rekeyed_out += 1
        self._send_inbox(batch, receiver, record.value)
        return False

    def _send_inbox(self, batch: Batch, identifier: str, value: bytes) -> None:
        batch.send(INBOX.name, partition_of(identifier, self._partitions), identifier.encode(), value)

    def _send(self, batch: Batch, step: Step) -> None:
        """Publish what the step holds, and empty it."""
        encode, entry = self._codec.encode, self._outputs.entry
        for entries in (step.again, step.entries):  # in this order: a better copy comes behind
            for x, experience, definition in entries:
                value = encode(TIMELINES.schema, entry(x, experience, definition))
                batch.send(TIMELINES.name, batch.partition, x.identifier.encode(), value)
            entries.clear()
        for message in step.messages:
            self._send_inbox(batch, messages.receiver(message), messages.encode(message))
        step.messages.clear()
        for evidence in step.evidence:
            batch.send(EVIDENCE.name, 0, evidence.weak.encode(), messages.encode(evidence))
        step.evidence.clear()
        for row in step.scores:
            value = encode(CUSTOMER_SCORES.schema, score(row))
            batch.send(CUSTOMER_SCORES.name, batch.partition, _score_key(row), value)
        step.scores.clear()
        for row in step.unscored:  # nothing may say any more that there was one
            batch.send(CUSTOMER_SCORES.name, batch.partition, _score_key(row), None)
        step.unscored.clear()

    def _send_cells(self, batch: Batch, work: Work) -> None:
        for key, cell in work.rollup.cells.items():
            cell_key = f"{key.window_start}|{key.touchpoint}|{key.channel}|{batch.partition}|{key.definition}".encode()
            value = self._codec.encode(TOUCHPOINT_SCORES.schema, rollup.fields(key, batch.partition, cell))
            batch.send(TOUCHPOINT_SCORES.name, batch.partition, cell_key, value)

    def _send_tallies(self, batch: Batch, work: Work) -> None:
        for channel, tally in work.tallies.changed.items():
            value = self._codec.encode(
                TALLIES.schema, tallies.fields(channel, batch.partition, self._partitions, tally)
            )
            batch.send(TALLIES.name, batch.partition, tallies.row_key(channel, batch.partition), value)

    def _reject(self, batch: Batch, record: Record, refused: Rejected) -> None:
        """Set a record aside, with where it came from and its bytes (as many as one record can hold)."""
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        key, value, detail = record.key, record.value, refused.detail
        if key is not None and len(key) > KEY_BYTES:
            key = key[:KEY_BYTES]
        if value is not None and len(value) > RECORD_BYTES - ENVELOPE_BYTES:
            value = value[: RECORD_BYTES - ENVELOPE_BYTES]
            detail = f"{detail} (the bytes are cut)"
        rejected = {
            "id": origin,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "reason": str(refused.reason),
            "detail": detail,
            "key": key,
            "value": value,
        }
        batch.send(REJECTED.name, batch.partition, origin.encode(), self._codec.encode(REJECTED.schema, rejected))


def _score_key(row: ScoreRow) -> bytes:
    return f"{row.person}|{row.day}|{row.definition}".encode()
