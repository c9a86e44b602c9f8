"""What the routes stand on, put together once at start and handed to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.domain import periods
from pipeline.domain.blueprint import EVERYBODY, Segment, Sums
from pipeline.domain.catalogue import Journey, Touchpoint
from pipeline.domain.identifiers import Keyring
from pipeline.domain.reasons import Rejected
from pipeline.domain.staff import Staff
from pipeline.problems import bad_request
from pipeline.serve.access import Gate, Links, Principal, Sessions
from pipeline.serve.alerting import Alerting
from pipeline.serve.audit import Audit
from pipeline.serve.calls import Call, Calls
from pipeline.serve.changing import Changing
from pipeline.serve.counting import LIVE, PERSONS, Counting
from pipeline.serve.figures import Counted, Figures
from pipeline.serve.history import History
from pipeline.serve.identify import Identify
from pipeline.serve.live import Streams
from pipeline.serve.lookup import Lookup
from pipeline.serve.noting import Noting
from pipeline.serve.observing import Observing
from pipeline.serve.orders import Orders
from pipeline.serve.passes import Passes
from pipeline.serve.reports import NoReports, Reports
from pipeline.serve.routing import Routes
from pipeline.serve.timelines import Timelines
from pipeline.serve.workers import Workers
from pipeline.serve.writing import Writer

STREAMS_MAX = 1_000
#: What is counted for the map: a period (a name) of a segment.
Count = tuple[str, Segment]
SEGMENTS: Count = ("", EVERYBODY)  # which segments there are


@dataclass(slots=True)
class Parts:
    """Everything that the API and the desk use. Made by `main`, or by a test with a fake worker."""

    gate: Gate
    sessions: Sessions
    links: Links
    keyring: Keyring
    region: str  # for phone numbers without a country prefix
    routes: Routes
    workers: Workers
    identities: Identify
    alerting: Alerting
    writer: Writer
    masked: Callable[[str], str]  # takes from a text what must not be kept in clear
    history: History
    audit: Audit
    staff: Staff
    observing: Observing
    changing: Changing
    noting: Noting
    passes: Passes  # for the card in a frame
    framed_by: str = ""  # the origins whose pages may frame it
    catalogued: Mapping[str, Touchpoint] = field(default_factory=dict)  # touchpoints of the catalogue, by id
    touchpoints: Mapping[str, str] = field(default_factory=dict)  # id → name, from the catalogue
    reports: Reports = field(default_factory=NoReports)
    journeys: Mapping[str, Journey] = field(default_factory=dict)  # of the catalogue, by id
    segment_kinds: Sequence[str] = ()  # details by which people are told apart
    clock: Callable[[], float] = time.monotonic
    zone: str = "UTC"  # the business's time zone: the desk's until a browser says its own
    now_minutes: int = 30
    calls: Calls = field(default_factory=Calls)
    streams: Streams = field(default_factory=lambda: Streams(STREAMS_MAX))
    lookup: Lookup = field(init=False)
    timelines: Timelines = field(init=False)
    orders: Orders = field(init=False)
    figures: Figures = field(init=False)
    counting: Counting[Count, Counted] = field(init=False)
    lately: Counting[str, list[Sums]] = field(init=False)  # everybody's figures, by period

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.workers)
        self.timelines = Timelines(self.lookup, self.history)
        self.orders = Orders(self.writer, self.identities, self.workers)
        self.figures = Figures(self.reports, self.zone, self.segment_kinds)
        ahead: list[Count] = [*((period, EVERYBODY) for period in periods.PERIODS), SEGMENTS] if self.journeys else []
        self.counting = Counting(self._count, ahead, PERSONS, self.clock)
        self.lately = Counting(self._everybody, [periods.DEFAULT] if self.journeys else [], LIVE, self.clock)

    async def _everybody(self, period: str) -> list[Sums]:
        """What happened to everybody in a period. Raises ReportsAway."""
        window = periods.window(period, time.time_ns() // 1_000_000, ZoneInfo(self.zone))
        return await self.figures.everybody(window, period)

    async def _count(self, what: Count) -> Counted:
        """Count something for the map. Raises ReportsAway."""
        if what == SEGMENTS:
            return await self.figures.segments()
        period, segment = what
        window = periods.window(period, time.time_ns() // 1_000_000, ZoneInfo(self.zone))
        return await self.figures.count(self.journeys.values(), window, period, segment)

    @property
    def ready(self) -> bool:
        """Whether every profile's owner is known, and lookups can be audited."""
        return self.routes.complete and self.writer.ready

    def entries(self, who: Principal, entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """A timeline's entries as they may be seen: at the desk whole, by programs without names of staff."""
        return list(entries) if who.session else [self.staff.hidden(each) for each in entries]

    def extension(self, who: Principal, call: Call) -> str:
        """The same of where a call rings."""
        seen = self.entries(who, [{"details": {"extension": call.extension} if call.extension else {}}])
        return str(seen[0]["details"].get("extension", ""))

    def identify(self, namespace: str, value: str, field: str) -> str:
        """The identifier of what somebody sent. Raises Problem 400 that names the field, never the value."""
        try:
            return self.keyring.resolve(namespace, value, self.region).identifier
        except Rejected as error:
            raise bad_request(str(error.reason), f"{field}: {error.detail}", field=field) from error

    def guesses(self, text: str) -> Sequence[str]:
        """The identifiers that a search text may stand for, the likeliest first; none where it can be none."""
        namespace, colon, value = text.partition(":")
        if colon and namespace in SPOKEN:
            wanted = [(namespace, value)]
        elif "@" in text:
            wanted = [("email", text)]
        else:
            wanted = [("phone", text), ("customer", text), ("loyalty", text)]
        found = []
        for name, said in wanted:
            try:
                found.append(self.keyring.resolve(name, said.strip(), self.region).identifier)
            except Rejected:  # it is not one of these, then
                continue
        return found


SPOKEN = frozenset({"customer", "loyalty", "email", "phone", "anonymous", "device"})
