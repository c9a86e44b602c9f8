"""What was changed at a touchpoint, and since which day, so that it can be looked at what that did.

Guarantees: nothing in a Change is unbounded, it names no customer, and who recorded it stands in it as a pseudonym.
What has passed once passes again.

Decisions
- 2026-11-27 A change is its change_id. Recorded again it takes the place of what was recorded before: the day of a
  change moves, and first words about it are seldom the last.
- 2026-11-27 A day, and no time: what is compared before and after are days. It may lie ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from pipeline.domain.impersonal import check_impersonal, masked
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.staff import Staff
from pipeline.domain.validate import EARLIEST_MS, LATEST_MS

WHAT_CHARS_MAX = 1_000
DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)
DAY_MIN, DAY_MAX = EARLIEST_MS // DAY_MS, LATEST_MS // DAY_MS - 1


class Change(msgspec.Struct, frozen=True, gc=False):
    """One change, with the fields of the Avro schema `change`."""

    change_id: str
    touchpoint: str
    changed_on: int  # days since 1970, by the clock of the business
    what: str  # masked
    recorded_at: int  # ms since 1970 UTC
    recorded_by: str  # a pseudonym

    @property
    def day(self) -> date:
        """From which day on it is so."""
        return date.fromordinal(EPOCH.toordinal() + self.changed_on)


def change(given: Mapping[str, Any], broker_time: int, region: str) -> Change:
    """The change that a mapping with the Avro schema's fields tells of; its types are already sure.

    `broker_time` is its record's (ms), or what stands for it; `region` reads phone numbers without country prefix.
    Raises Rejected.
    """
    for field in ("change_id", "touchpoint"):
        check_impersonal(field, given.get(field) or "", region, "change")
    if not DAY_MIN <= given["changed_on"] <= DAY_MAX:
        raise Rejected(Reason.ABSURD_TIME, "on: before 1990 or after 2099")
    what = masked("what", given.get("what") or "", region, WHAT_CHARS_MAX)
    if not what:
        raise Rejected(Reason.MISSING_FIELD, "what")
    recorded_by = given.get("recorded_by") or ""
    if not Staff.is_pseudonym(recorded_by):
        raise Rejected(Reason.BAD_VALUE, "recorded_by: no pseudonym of somebody who works here")
    recorded_at = min(max(given["recorded_at"], EARLIEST_MS), broker_time)
    return Change(given["change_id"], given["touchpoint"], given["changed_on"], what, recorded_at, recorded_by)
