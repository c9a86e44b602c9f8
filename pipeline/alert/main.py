"""`throughline run alert`: one loop that looks, decides and commits; beside it the answers, and the webhook."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack

import uvloop
from clickhouse_connect.driver.exceptions import Error

from pipeline import catalogue, clickhouse, garbage, keys, logs, metrics
from pipeline.alert.answers import Answers
from pipeline.alert.keeping import GROUP, Keeper
from pipeline.alert.looking import Looking, Seen
from pipeline.alert.webhook import Patience, Telling, Webhook
from pipeline.domain.alerts import HOUR_MS, Rules
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.wire import Codec

GATHER_S = 0.25  # how long one turn waits for actions; they end it as they come
SHARE = 3  # a pause between two looks is at least so many times as long as a look
REPEAT_LOG_S = 30.0  # while ClickHouse stays away

_log = logs.get(GROUP)


class Watching:
    """Looks at a bounded pace, in a thread, while the loop goes on."""

    def __init__(self, looking: Looking, every_s: float) -> None:
        self._looking = looking
        self._every_s = every_s
        self._task: asyncio.Task[Seen] | None = None
        self._next_at = 0.0
        self._said_at = float("-inf")

    def seen(self) -> Seen | None:
        """What a look that has ended saw, once; begins the next one when it is time. Raises the driver's Error for what
        does not pass by waiting."""
        now = time.monotonic()
        if self._task is None:
            if now >= self._next_at:
                self._task = asyncio.create_task(asyncio.to_thread(self._looking.look))
            return None
        if not self._task.done():
            return None
        task, self._task = self._task, None
        self._next_at = now + self._every_s
        try:
            seen = task.result()
        except Error as error:
            if not clickhouse.is_transient(error):
                raise
            if now - self._said_at > REPEAT_LOG_S:
                self._said_at = now
                _log.warning("clickhouse_away", code=error.code)
            return None
        self._next_at = now + max(self._every_s, SHARE * seen.took_s)
        metrics.LOOK_SECONDS.observe(seen.took_s)
        return seen

    async def end(self) -> None:
        """Wait for the look that is under way, and close the connection."""
        if self._task is not None:
            await asyncio.wait([self._task])
        await asyncio.to_thread(self._looking.close)


async def work(keeper: Keeper, watching: Watching, stop: asyncio.Event) -> None:
    """Turn after turn until told to stop. Raises KafkaError, the driver's Error."""
    held_back = 0
    while not stop.is_set():
        actions = await keeper.gather(GATHER_S)
        seen = watching.seen()
        found = await keeper.go_on(actions, seen, time.time_ns() // 1_000_000)
        if seen is not None:
            metrics.ALERTS_HELD_BACK.set(found)
            if found and not held_back:
                _log.error("alerts_held_back", causes=found)
            held_back = found


async def _serve(settings: Settings) -> None:
    secrets, known = keys.load_or_create(settings), catalogue.load(settings.catalogue_folder)
    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    zone = settings.time_zone or known.business.time_zone
    looking = Looking(known, zone, lambda: clickhouse.connect(settings, secrets, settings.clickhouse_database))
    rules = Rules(escalate_ms=round(known.business.escalate_h * HOUR_MS))
    keeper = Keeper(settings, codec, registry, rules, keys.keyring(secrets).seal)
    watching = Watching(looking, settings.alerts_every_s)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        stack.push_async_callback(watching.end)
        stack.push_async_callback(keeper.stop)
        service = Answers(keeper).service(secrets.worker_token, settings.host, settings.alert_port)
        await keeper.start(f"http://{settings.host}:{settings.alert_port}")
        await service.on_start()
        stack.push_async_callback(service.on_stop)
        telling: asyncio.Task[None] | None = None
        if settings.webhook_url:
            patience = Patience(give_up_s=settings.webhook_hours * 3_600)
            webhook = Telling(settings, codec, registry, Webhook(settings.webhook_url, secrets.webhook, patience))
            stack.push_async_callback(webhook.stop)
            await webhook.start()
            telling = tasks.create_task(webhook.run())
        _say_ready(settings)
        await work(keeper, watching, stop)
        if telling is not None:
            telling.cancel()
    _log.info("stopped")


def _say_ready(settings: Settings) -> None:
    """Leave the file that says that what stands is known."""
    folder = settings.home / "run" / "ready"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / GROUP).touch()


def run(settings: Settings) -> None:
    """Work until SIGTERM. Raises what was not expected: the supervisor starts it again."""
    garbage.settle()
    uvloop.run(_serve(settings))
