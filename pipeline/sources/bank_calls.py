"""Calls to a bank's call centre: 17 tab-separated columns with a heading, a call each.

- Times of day are Israel's, and of the call's date; what lies past midnight is on the next day. A clock time is taken
  on the day that puts it nearest to the call's entry (a call lasts less than twelve hours), because some exits stand a
  minute *before* their entry: the two clocks differ, and no midnight lies between.
- The call happened when it entered the voice response unit (VRU). `customer_id` 0 is an unknown caller: each such call
  is a visitor of its own.
- What was not seen is left out: `vru_s` where the clocks contradict it, `wait_s` of a caller who never came to the
  queue or an agent, `handle_s` of one whom nobody served. Whom an AGENT has answered came to both, for however short.
  A PHANTOM call is no call: it stays on the timeline with its outcome, its times are mere properties, and so it says
  nothing about how anyone was served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pipeline.sources.adapter import BadRow, Event, Line, Row, columns, event, headed, rows, whole

NAME = "bank calls"
SOURCE = "bank"
HEADING = (
    "vru+line\tcall_id\tcustomer_id\tpriority\ttype\tdate\tvru_entry\tvru_exit\tvru_time\t"
    "q_start\tq_exit\tq_time\toutcome\tser_start\tser_exit\tser_time\tserver"
)
COLUMNS = HEADING.split("\t")
PROPERTIES = {"line": "vru+line", "call_id": "call_id", "priority": "priority", "service": "type"}
ZONE = ZoneInfo("Asia/Jerusalem")
DAY_S = 86_400
NO_CLOCK = "0:00:00"  # a phase that did not take place; or midnight, where its duration is not 0
NO_AGENT = "NO_SERVER"
ANSWERED = "AGENT"
PHANTOM = "PHANTOM"
ROUNDED = re.compile(r"\d(\.\d+)?E\+\d\d", re.ASCII)


def read(lines: Iterable[Line]) -> Iterator[Row]:
    """The file's calls. Raises NotThisFile."""
    return rows(headed(lines, HEADING, NAME), _call)


def _call(text: str) -> tuple[str, Event]:
    row = dict(zip(COLUMNS, columns(text, "\t", len(COLUMNS)), strict=True))
    if not row["vru+line"] or not row["outcome"]:
        raise BadRow("vru+line or outcome is empty")
    call = f"{row['vru+line']}-{whole('call_id', row['call_id'])}"
    customer, date, agent = row["customer_id"], row["date"], row["server"]
    entered = _seconds("vru_entry", row["vru_entry"])
    measures = _measures(row, entered)
    properties = {name: row[column] for name, column in PROPERTIES.items()}
    rounded = ROUNDED.fullmatch(customer) is not None
    if rounded:
        properties["customer_id_rounded"] = customer
    if row["outcome"] == PHANTOM:
        properties |= {name: f"{value:g}" for name, value in measures.items()}
        measures = {}

    return "phone", event(
        event_id=f"{call}-{date}-{row['vru_entry']}",
        source=SOURCE,
        kind="call_ended",
        touchpoint="call_queue",
        occurred_at=int((_midnight(date) + timedelta(seconds=entered)).timestamp()) * 1000,
        identifiers={"anonymous": call} if rounded or not whole("customer_id", customer) else {"customer": customer},
        session_id=f"{call}-{date}",
        issue=row["type"],
        measures=measures,
        properties=properties,
        details={
            "queue": row["type"] or None,
            "direction": "inbound",
            "wait_s": measures.get("wait_s"),
            "handle_s": measures.get("handle_s"),
            "transfers": None,
            "outcome": row["outcome"],
            "agent": None if agent in ("", NO_AGENT) else agent,
            "extension": None,
        },
    )


def _measures(row: dict[str, str], entered: int) -> dict[str, float]:
    """What was seen of the call's times, in seconds."""
    wait_s, handle_s = whole("q_time", row["q_time"]), whole("ser_time", row["ser_time"])
    queued = wait_s > 0 or row["q_start"] != NO_CLOCK
    timed = handle_s > 0 or row["ser_start"] != NO_CLOCK
    served = timed or row["outcome"] == ANSWERED
    phases = ["vru_exit", *(["q_exit"] if queued else []), *(["ser_exit"] if timed else [])]
    seen = {"duration_s": max(_after(entered, _seconds(name, row[name])) for name in phases)}
    if not row["vru_time"].startswith("-"):
        seen["vru_s"] = whole("vru_time", row["vru_time"])
    if queued or served:
        seen["wait_s"] = wait_s
    if served:
        seen["handle_s"] = handle_s
    return {name: float(value) for name, value in seen.items() if value >= 0}


@lru_cache(maxsize=1024)
def _midnight(date: str) -> datetime:
    """The day, yymmdd of the 20th century, in Israel. A time of day is added by its clock, not by its length."""
    try:
        return datetime.strptime(f"19{date}", "%Y%m%d").replace(tzinfo=ZONE)
    except ValueError as problem:
        raise BadRow("date is not yymmdd") from problem


def _seconds(name: str, clock: str) -> int:
    """h:mm:ss as seconds of the day."""
    parts = clock.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts):
        raise BadRow(f"{name} is not h:mm:ss")
    h, m, s = map(int, parts)
    if h > 23 or m > 59 or s > 59:
        raise BadRow(f"{name} is no time of day")
    return h * 3600 + m * 60 + s


def _after(start: int, clock: int) -> int:
    """Seconds from `start` to the nearest `clock`, both of the day: −43,200 to 43,199."""
    return (clock - start + DAY_S // 2) % DAY_S - DAY_S // 2
