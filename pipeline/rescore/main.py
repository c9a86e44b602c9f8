"""`throughline rescore`: what is told to whom, in which order (see the package). Every step may be done again."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import catalogue, definitions, keys
from pipeline.definitions import Recorded
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.rules import Rules
from pipeline.rescore import difference, history
from pipeline.rescore.mail import Mail, Stalled
from pipeline.rescore.replay import replay
from pipeline.settings import Settings
from pipeline.store import catalogued
from pipeline.store.writer import connect
from pipeline.topics import CUSTOMER_SCORES, TIMELINES, TOUCHPOINT_SCORES

DONE, DECLINED = 0, 1


class CannotRescore(RuntimeError):
    """Something that a person can mend; says what, and how."""


@dataclass(frozen=True, slots=True)
class How:
    """What was asked for."""

    version: int
    dry_run: bool = False  # show the difference, and do not switch
    yes: bool = False  # do not ask
    alone: bool = False  # then count no other definition beside it any longer


def run(settings: Settings, how: How) -> int:
    """Do it; the status to exit with. Raises CannotRescore, BadCatalogue."""
    known = catalogue.load(settings.catalogue_folder)
    if how.version not in known.scorings:
        there = ", ".join(map(str, sorted(known.scorings)))
        raise CannotRescore(
            f"there is no version {how.version} in {settings.catalogue_folder} (there is {there}). A version is a "
            f"file scores-{how.version}.yaml with `version: {how.version}` in it; `throughline check` says whether it "
            "can be used"
        )
    if not (how.yes or how.dry_run or sys.stdin.isatty()):
        raise CannotRescore(
            "nobody is here to agree to the difference: call it with --yes, or with --dry-run to see it"
        )
    console = Console(highlight=False)
    try:
        with (
            _alone(settings),
            connect(settings, keys.load_or_create(settings), settings.clickhouse_database) as client,
        ):
            return asyncio.run(_rescore(settings, known, how, client, console))
    except Stalled as error:
        raise CannotRescore(str(error)) from error
    except KafkaError as error:
        raise CannotRescore(
            f"Kafka at {settings.bootstrap} does not answer: {error!r}. Call it again; it goes on"
        ) from error
    except ClickHouseError as error:
        line = str(error).splitlines()[0][:200]
        raise CannotRescore(f"ClickHouse at {settings.clickhouse} says: {line}. Call it again; it goes on") from error


async def _rescore(settings: Settings, known: Catalogue, how: How, client: Client, console: Console) -> int:
    recorded = await definitions.read(settings)
    if not recorded:
        raise CannotRescore("it is not recorded which version is live; `throughline prepare` does that")
    now = recorded[-1]
    if now.live == how.version and now.replayed and not (how.alone and now.beside):
        console.print(f"Version {how.version} is live already.")
        return DONE
    if now.live == how.version and how.dry_run:
        console.print(f"Version {how.version} is live already; its replay is not through: call it without --dry-run.")
        return DONE
    async with Mail(settings) as mail:
        work = Rescore(settings, known, client, mail, console, now)
        if work.now.live != how.version:
            await work.beside(how.version)
            difference.show(client, known, console)
            if how.dry_run:
                console.print(
                    f"Version {work.now.live} stays live; version {how.version} goes on being counted beside it."
                )
                return DONE
            if not (how.yes or _agrees(console, how.version)):
                console.print(f"Nothing was switched. Version {how.version} goes on being counted beside it.")
                return DECLINED
            await work.switch()
        if not work.now.replayed:
            await work.complete()
        if how.alone and work.now.beside:
            await work.alone()
        return DONE


class Rescore:
    """The steps, each of which says what it does, and may be done again."""

    def __init__(
        self, settings: Settings, known: Catalogue, client: Client, mail: Mail, console: Console, now: Recorded
    ) -> None:
        self.now = now  # what is recorded
        self._settings = settings
        self._known = known
        self._client = client
        self._mail = mail
        self._console = console
        self._history = history.History(client, history.numeric(settings.schemas))

    async def beside(self, version: int) -> None:
        """Have it counted beside the live one, all of history."""
        if self.now.beside != version:
            if self.now.beside:
                self._console.print(
                    f"Version {self.now.beside} is not counted any longer: its scores stand as they are."
                )
            await self._record(Recorded(self.now.number + 1, self.now.live, version, _now_ms()))
        await self._tell()
        self._load()
        await self._replay(version, f"Version {version} on what is stored")
        await self._replayed()

    async def switch(self) -> None:
        """Make live what is counted beside."""
        now = self.now
        await self._record(Recorded(now.number + 1, now.beside, now.live, _now_ms()))
        self._console.print(f"Version {self.now.live} is live.")

    async def complete(self) -> None:
        """What follows from a switch: views, and what is not judged by the live definition yet."""
        live = self._known.scorings[self.now.live]
        await self._tell()
        await self._mail.caught_up(TOUCHPOINT_SCORES, CUSTOMER_SCORES)
        self._load()
        self._console.print(
            f"Views show scores by version {live.version}; by version {self.now.beside} as well, by name."
        )
        await self._replay(live.version, "Persons since, and single interactions")
        await self._replayed()
        self._console.print("Done.")

    async def alone(self) -> None:
        """Count no other definition beside the live one any longer."""
        former = self.now.beside
        await self._record(Recorded(self.now.number + 1, self.now.live, 0, _now_ms(), replayed=True))
        await self._tell()
        self._load()
        self._console.print(f"Version {former} is not counted any longer: its scores stand as they are.")

    async def _record(self, recorded: Recorded) -> None:
        await definitions.record(self._settings, recorded)
        self.now = recorded

    async def _replayed(self) -> None:
        now = self.now
        await self._record(Recorded(now.number, now.live, now.beside, now.since, replayed=True))

    async def _tell(self) -> None:
        """Return when stitch judges by what is recorded, and ClickHouse has all that was judged before."""
        await self._mail.send([self.now.judging])
        await self._mail.read()
        await self._mail.caught_up(TIMELINES)

    def _load(self) -> None:
        definitions.load(self._client, [self.now])
        catalogued.load(self._client, self._known, _now_ms(), self.now.live)

    async def _replay(self, version: int, what: str) -> None:
        """Judge all that is stored by a definition, and tell the profiles; return when ClickHouse has what follows."""
        scoring, parts = self._known.scorings[version], history.parts_of(self._history.size())
        began, seen = time.monotonic(), 0
        with _progress(self._console) as progress:
            task = progress.add_task(what, total=parts)
            for part in range(parts):
                read_at = _now_ms()
                found = await asyncio.to_thread(self._history.read, parts, part, version)
                messages = replay(found.stored, scoring, Rules().evidence, found.known, read_at)
                await self._mail.send(messages)
                seen += found.size
                progress.advance(task)
        await self._mail.read()
        await self._mail.caught_up(TIMELINES, TOUCHPOINT_SCORES, CUSTOMER_SCORES)
        took_s = max(time.monotonic() - began, 0.001)
        self._console.print(f"{what}: {seen:,} interactions in {took_s:.1f} s, {seen / took_s:,.0f} a second.")


def _agrees(console: Console, version: int) -> bool:
    console.print(f"Switch to version {version}? [y/N] ", end="", markup=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("parts"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """The right to do it in this home. Raises CannotRescore where another process has it."""
    path = settings.home / "run" / "rescore.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRescore("another `throughline rescore` is at work here: wait until it is done") from None
        yield
