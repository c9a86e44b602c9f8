"""Playing the shop: events become due, and go to `POST /v1/interactions`; so do observations, to `/v1/observations`.

What customers bring and cost beside goes to `/v1/outcomes` before its event: who is stopped in between sends both
again. What was changed goes to `/v1/changes`, at the first start.

What was due is sent once it is accepted, in order, and again until then: 429, 503 and a server that is not there are
waited for. What is rejected is a mistake of the script: it is logged by its type or measure and the reason, and left.
Any other answer ends the process. Nothing personal is logged.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Event as Flag
from typing import Any

import httpx

from pipeline import keys, logs
from pipeline.local.shop.backstage import HISTORY_MS, observers, told
from pipeline.local.shop.books import books
from pipeline.local.shop.memory import Memory, recall, remember
from pipeline.local.shop.plan import Event
from pipeline.local.shop.schedule import RECENT_MS, Schedule
from pipeline.local.shop.script import people, script
from pipeline.settings import Settings

SEED = 1
BATCH_EVENTS = 250  # a request
BATCH_PAUSE_S = 0.05  # between requests while there is much to send, so that the shop is not the load
TURN_S = 0.25  # how finely time is cut
REMEMBER_S = 5.0
REPORT_S = 60.0
WAIT_S_FIRST, WAIT_S_MAX = 0.25, 15.0  # before sending again
NOBODY_S_MAX = 1.0  # the same while nobody listens: the stack is starting
ANSWER_S = 15.0
WAITING = frozenset({429, 502, 503, 504})
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where to find who listens everywhere

log = logs.get("shop")


class ShopRefused(RuntimeError):
    """The server does not want what the shop sends; trying again would not help."""


def play(settings: Settings) -> None:
    """Play until SIGTERM or SIGINT. Raises ShopRefused, BadScript, BrokenMemory or BrokenKeys."""
    logs.configure("shop", settings)
    stop = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    host = EVERYWHERE.get(settings.host, settings.host)
    secrets = keys.load_or_create(settings)
    with httpx.Client(
        base_url=f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}",
        headers={"Authorization": f"Bearer {secrets.ingest}"},
        timeout=ANSWER_S,
        trust_env=False,
    ) as client:
        Shop(client, settings.home / "shop.json", stop, _now_ms(), secrets.admin).run()


class Shop:
    """One run of the shop, from `now_ms` on."""

    def __init__(self, client: httpx.Client, path: Path, stop: Flag, now_ms: int, admin: str) -> None:
        """`client` sends with the ingest key; `admin` is the key for changes."""
        self._client = client
        self._path = path
        self._stop = stop
        self._schedule = Schedule(script(), people(SEED), f"{now_ms:x}", SEED)
        self._observers = observers()
        self._books = books()
        self._admin = {"Authorization": f"Bearer {admin}"}
        self._sent = self._observed = self._accounted = self._rejected = 0
        memory = recall(path)
        self._seen_ms = 0 if memory is None else memory.seen_ms
        if memory is None:
            self._schedule.begin_history(now_ms)
            self._told_ms = 0
            self._changes = self._books.changed(now_ms)
        else:
            self._changes = []
            self._told_ms = memory.told_ms
            for start in memory.open:
                self._schedule.add(start, memory.told_ms)
        self._next_ms = self._schedule.begin_all(max(self._told_ms, now_ms - RECENT_MS), now_ms)
        self._remember()
        log.info("opened", first_time=memory is None, journeys=sum(1 for _ in self._schedule.open()))

    def run(self) -> None:
        """Send what is due, until told to stop."""
        remembered = reported = time.monotonic()
        for each in self._changes:
            self._record(each)
        while not self._stop.is_set():
            full = self._tell(_now_ms()) | self._observe(_now_ms())
            now = time.monotonic()
            if now - remembered >= REMEMBER_S:
                self._remember()
                remembered = now
            if now - reported >= REPORT_S:
                log.info("playing", **self._counts)
                reported = now
            self._stop.wait(BATCH_PAUSE_S if full else TURN_S)
        self._remember()
        log.info("closed", **self._counts)

    def _tell(self, now_ms: int) -> bool:
        """Send the next batch of what is due. True where there is more."""
        if self._next_ms < now_ms:  # after a long wait those who would have come have gone elsewhere
            self._next_ms = self._schedule.begin_all(max(self._next_ms, now_ms - RECENT_MS), now_ms)
        batch = self._schedule.due(now_ms, BATCH_EVENTS)
        self._account([due.event for due in batch])
        if batch and (answer := self._send("interactions", {"events": [due.event for due in batch]})):
            self._told_ms = batch[-1].at_ms
            self._schedule.done(len(batch))
            self._sent += int(answer["accepted"])
            self._say_rejected(answer, [due.event["type"] for due in batch])
        return len(batch) == BATCH_EVENTS

    def _account(self, events: list[Event]) -> None:
        """Send what customers brought and cost beside these events."""
        batch = [found for event in events for found in self._books.outcomes(event)]
        if batch and (answer := self._send("outcomes", {"outcomes": batch})):
            self._accounted += int(answer["accepted"])
            self._say_rejected(answer, [each["kind"] for each in batch])

    def _record(self, change: dict[str, Any]) -> None:
        """Send what was changed. Of another catalogue's touchpoints nothing is recorded."""
        answer = self._post("changes", change, self._admin)
        if answer is None or answer.status_code == httpx.codes.OK:
            return
        if answer.status_code != httpx.codes.BAD_REQUEST:
            raise ShopRefused(f"POST /v1/changes answers {answer.status_code}")
        self._rejected += 1
        log.warning("rejected", type="change", reason=answer.json()["reason"], detail=answer.json()["detail"])

    def _observe(self, now_ms: int) -> bool:
        """Send the next batch of what staff and systems saw. True where there is more."""
        since_ms = max(self._seen_ms, now_ms - HISTORY_MS)  # after a long wait nobody asks for what was before
        everything = told(self._observers, since_ms, now_ms)
        batch = everything[:BATCH_EVENTS]
        if batch:
            answer = self._send("observations", {"observations": [each.seen for each in batch]})
            if answer is None:
                return False
            self._observed += int(answer["accepted"])
            self._say_rejected(answer, [each.seen["measure"] for each in batch])
        more = len(everything) > len(batch)
        self._seen_ms = batch[-1].at_ms if more else now_ms  # of equal times some may come again: the same ones
        return more

    def _send(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer once the server has taken it; None where the shop was stopped before."""
        answer = self._post(what, body)
        if answer is None:
            return None
        if answer.status_code != httpx.codes.ACCEPTED:
            raise ShopRefused(f"POST /v1/{what} answers {answer.status_code}")
        taken: dict[str, Any] = answer.json()
        return taken

    def _post(self, what: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response | None:
        """The answer, once it is not that it should be sent again; None where the shop was stopped before."""
        wait_s = WAIT_S_FIRST
        while not self._stop.is_set():
            after_s = wait_s
            try:
                answer = self._client.post(f"/v1/{what}", json=body, headers=headers)
            except httpx.TransportError as problem:
                after_s = min(after_s, NOBODY_S_MAX)
                log.warning("no_answer", problem=type(problem).__name__, wait_s=after_s)
            else:
                if answer.status_code not in WAITING:
                    return answer
                after_s = _retry_after_s(answer, wait_s)
                log.warning("not_now", status=answer.status_code, wait_s=after_s)
            self._stop.wait(after_s)
            wait_s = min(2 * wait_s, WAIT_S_MAX)
        return None

    def _say_rejected(self, answer: dict[str, Any], kinds: list[str]) -> None:
        for each in answer["rejected"]:
            self._rejected += 1
            log.warning("rejected", type=kinds[each["index"]], reason=each["reason"], detail=each["detail"])

    @property
    def _counts(self) -> dict[str, int]:
        """For the log."""
        done = {"sent": self._sent, "observed": self._observed, "accounted": self._accounted}
        return done | {"rejected": self._rejected}

    def _remember(self) -> None:
        remember(self._path, Memory(self._told_ms, tuple(self._schedule.open()), self._seen_ms))


def _retry_after_s(answer: httpx.Response, otherwise: float) -> float:
    """What the server asks for, as far as it is sensible."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), WAIT_S_MAX) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
