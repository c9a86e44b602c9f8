"""Telling somebody outside of every change of an alert: one signed POST each, at least once, in order for each alert.

Each partition of `alerts` is told by itself, with a position of its own (group `webhook`), which moves only when a
change was delivered, refused or given up. So a receiver that is slow, or away, holds up nothing but itself; and whoever
is told twice sees it by `X-Throughline-Delivery`, which names the record.

    2xx                                delivered
    408, 425, 429, 5xx, no answer      tried again: after 1 s, twice as long each time, at most 5 minutes, or as
                                       `Retry-After` says (at most an hour); for `webhook_hours`, then given up
    everything else, redirects too     refused: the next change is told

The signature is over the time and the bytes of the body: `verify` is all that a receiver needs, and README.md shows it.

2026-11-26: Partitions are assigned by hand, since a change may be retried for hours, and a member of a group that does
not come back for records is thrown out. Two processes could tell the same change, which is allowed; but this one ends
when another takes over its transactions. The first start begins where the topic ends: what was before is history.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from pipeline import kafka, logs, metrics
from pipeline.domain.alert_shown import shown
from pipeline.domain.alerts import STANDS_ALONE, Alert
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import ALERTS
from pipeline.wire import Codec

GROUP = "webhook"
SIGNATURE, DELIVERY = "X-Throughline-Signature", "X-Throughline-Delivery"
TOLD = frozenset({"opened", "acknowledged", "escalated", "resolved"})  # changes; others tell only other figures
AGAIN = frozenset({408, 425, 429})  # and all from 500 on
ANSWER_BYTES_MAX = 64 * 1024  # read of an answer, so that its connection can be used again
RECORDS_MAX = 50

_log = logs.get("webhook")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for the receiver."""

    connect_s: float = 5.0
    answer_s: float = 10.0  # for one attempt, all in all
    retry_s_min: float = 1.0
    retry_s_max: float = 300.0
    told_s_max: float = 3_600.0  # the longest `Retry-After` that is heeded
    give_up_s: float = 24 * 3_600.0


def sign(secret: str, body: bytes, at_s: int) -> str:
    """The value of the header for these bytes at that time (seconds since 1970)."""
    return f"t={at_s},v1={hmac.digest(secret.encode(), b'%d.%b' % (at_s, body), hashlib.sha256).hex()}"


def verify(secret: str, body: bytes, header: str, now_s: float, tolerance_s: float = 300.0) -> bool:
    """Whether a request was signed with the secret, lately. What a receiver does; also written out in README.md."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    at, given = parts.get("t", ""), parts.get("v1", "")
    if not (at.isascii() and at.isdecimal()) or abs(now_s - int(at)) > tolerance_s:
        return False
    expected = hmac.digest(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hex()
    return hmac.compare_digest(expected.encode(), given.encode())


def message(alert: Alert, delivery: str) -> bytes:
    """What is sent."""
    return msgspec.json.encode({"delivery": delivery, "event": f"alert.{change_of(alert)}", "alert": shown(alert)})


def change_of(alert: Alert) -> str:
    """What a record tells; identify's say only whether it stands."""
    if alert.kind != STANDS_ALONE:
        return alert.change
    return "opened" if alert.standing else "resolved"


class Webhook:
    """One receiver."""

    def __init__(
        self, url: str, secret: str, patience: Patience | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._secret = secret
        self._patience = patience or Patience()
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool of connections. It heeds no proxy of the environment, and keeps no cookies."""
        limits = aiohttp.ClientTimeout(total=self._patience.answer_s, connect=self._patience.connect_s)
        self._session = aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def tell(self, body: bytes, delivery: str) -> str:
        """Deliver one change, however long it takes; returns delivered, refused or given_up."""
        patience, loop = self._patience, asyncio.get_running_loop()
        ends_at, wait_s = loop.time() + patience.give_up_s, patience.retry_s_min
        while True:
            status, retry_after = await self._post(body, delivery)
            if status is not None and 200 <= status < 300:
                outcome = "delivered"
            elif status is not None and status not in AGAIN and status < 500:
                outcome = "refused"
                _log.error("webhook_refused", delivery=delivery, status=status)
            elif loop.time() + (pause_s := max(wait_s, min(retry_after, patience.told_s_max))) > ends_at:
                outcome = "given_up"
                _log.error("webhook_given_up", delivery=delivery, status=status, after_s=round(patience.give_up_s))
            else:
                metrics.WEBHOOK_REQUESTS.labels("retried").inc()
                _log.warning("webhook_retry", delivery=delivery, status=status, wait_s=pause_s)
                await asyncio.sleep(pause_s)
                wait_s = min(2 * wait_s, patience.retry_s_max)
                continue
            metrics.WEBHOOK_REQUESTS.labels(outcome).inc()
            return outcome

    async def _post(self, body: bytes, delivery: str) -> tuple[int | None, float]:
        """(status, seconds that it asks to wait) of one attempt; None: no answer."""
        if self._session is None:
            raise RuntimeError("the webhook is not open")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Throughline",
            SIGNATURE: sign(self._secret, body, int(self._clock())),
            DELIVERY: delivery,
        }
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(ANSWER_BYTES_MAX)
                return answer.status, self._asked_for(answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None, 0.0

    def _asked_for(self, text: str) -> float:
        """Seconds of a `Retry-After`: a number, or a date; 0 where it is neither."""
        if text.isascii() and text.isdecimal() and len(text) < 9:
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock())
        except (ValueError, TypeError, OverflowError):
            return 0.0


class Telling:
    """Reads the topic and tells the receiver."""

    def __init__(self, settings: Settings, codec: Codec, registry: Registry, webhook: Webhook) -> None:
        self._settings = settings
        self._codec = codec
        self._registry = registry
        self._webhook = webhook
        self._consumer: AIOKafkaConsumer | None = None
        self._places: list[TopicPartition] = []

    async def start(self) -> None:
        """Find where it was, or begin at the end. Raises KafkaError."""
        consumer = kafka.consumer(self._settings, group=GROUP, client_id=GROUP)
        self._consumer = consumer
        await consumer.start()
        self._places = [TopicPartition(ALERTS.name, number) for number in range(self._settings.partitions)]
        consumer.assign(self._places)
        ends = await consumer.end_offsets(self._places)
        for place in self._places:
            done = await consumer.committed(place)
            consumer.seek(place, ends[place] if done is None else done)
            if done is None:
                await consumer.commit({place: ends[place]})
        await self._webhook.open()

    async def run(self) -> None:
        """Tell until cancelled. Raises what was not expected, in an ExceptionGroup."""
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._tell_all(place))

    async def _tell_all(self, place: TopicPartition) -> None:
        consumer: Any = self._consumer
        while True:
            fetched = await consumer.getmany(place, timeout_ms=60_000, max_records=RECORDS_MAX)
            for record in fetched.get(place, ()):
                await self._tell(record)
                await consumer.commit({place: record.offset + 1})

    async def _tell(self, record: ConsumerRecord) -> None:
        if record.value is None:
            return
        await self._registry.learn((record,))
        schema, found = self._codec.decode(record.value)
        if schema != ALERTS.schema:
            raise ValueError(f"a record of {ALERTS.name} is a {schema}")
        alert = msgspec.convert(found, Alert)
        if change_of(alert) in TOLD:
            delivery = f"{record.topic}/{record.partition}/{record.offset}"
            await self._webhook.tell(message(alert, delivery), delivery)

    async def stop(self) -> None:
        """Let go of the connections."""
        if self._consumer is not None:
            await self._consumer.stop()
        await self._webhook.close()
