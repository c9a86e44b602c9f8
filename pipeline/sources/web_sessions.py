"""Visits to a travel site: 11 columns between bars with a heading, a visit each.

- A visit is mobile where its device is a phone or a tablet (a mobile page on an unknown device counts as one), and web
  on anything else.
- The visitor is anonymous on every device. The visit happened when it began. Its times name no zone and are taken as
  UTC; `ds`, the site's own day, is a day behind some of them and is not used.
- What was done in it are flags, 0 or 1, so they are measures that add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pipeline.sources.adapter import BadRow, Event, Line, Row, columns, event, headed, rows, whole

NAME = "web sessions"
SOURCE = "travel-site"
HEADING = (
    "id_visitor|id_session|dim_session_number|dim_user_agent|dim_device_app_combo|ds|ts_min|ts_max|did_search|"
    "sent_message|sent_booking_request"
)
FLAGS = ("did_search", "sent_message", "sent_booking_request")
MOBILE_DEVICES = ("iPhone", "iPad", "Android")
MOBILE_PAGE = "Moweb"
APPS = ("iOS", "Android")


def read(lines: Iterable[Line]) -> Iterator[Row]:
    """The file's visits. Raises NotThisFile."""
    return rows(headed(lines, HEADING, NAME), _visit)


def _visit(text: str) -> tuple[str, Event]:
    visitor, session, number, agent, combination, _, first, last, *flags = columns(text, "|", 11)
    if not visitor or not session:
        raise BadRow("id_visitor or id_session is empty")
    began, ended = _ms("ts_min", first), _ms("ts_max", last)
    if ended < began:
        raise BadRow("ts_max is before ts_min")
    device, dash, app = combination.partition(" - ")
    if not dash:
        raise BadRow("dim_device_app_combo is not 'device - app'")
    mobile = device.startswith(MOBILE_DEVICES) or app == MOBILE_PAGE

    measures = {"duration_s": (ended - began) / 1000, "session_number": float(whole("dim_session_number", number))}
    for name, flag in zip(FLAGS, flags, strict=True):
        if flag not in ("0", "1"):
            raise BadRow(f"{name} is neither 0 nor 1")
        measures[name] = float(flag)
    properties = {"device": device, "app": app}
    if agent:
        properties["user_agent"] = agent

    return "mobile" if mobile else "web", event(
        event_id=session,
        source=SOURCE,
        kind="visit_ended",
        touchpoint="app_home" if app in APPS else "site_home",
        occurred_at=began,
        identifiers={"anonymous": visitor},
        session_id=session,
        measures=measures,
        properties=properties,
    )


def _ms(name: str, text: str) -> int:
    """yyyy-mm-dd hh:mm:ss in UTC as milliseconds."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as problem:
        raise BadRow(f"{name} is not yyyy-mm-dd hh:mm:ss") from problem
