"""What a customer brought the business or cost it without any contact: one verdict for every way in.

Guarantees: nothing in an Outcome is unbounded, its amount is finite and has the sign of its kind, no name in it holds a
control character (so names may be joined by NUL in keys), and nobody stands in it in clear: its identifier is keyed, an
id or source that holds personal data is the same hash that stands for it in an interaction. What has passed once passes
again.

Decisions
- 2026-11-27 An outcome is (source, outcome_id). Sent again it takes the place of the earlier one, whatever it says, so
  that a wrong amount can be corrected.
- 2026-11-27 An amount says what the business gained: a refund of 20 is -20. One with the other sign is refused and not
  turned round: who sends a refund as 20 has to learn it, or half of their sums would be wrong.
- 2026-11-27 Of several identifiers only the strongest is kept: a result is no contact, and shows nobody who anybody is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from pipeline.domain import texts
from pipeline.domain.identifiers import Keyring
from pipeline.domain.impersonal import stands_for_somebody
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import (
    AHEAD_MS_MAX,
    Time,
    arrival,
    check_arrival,
    check_name,
    check_number,
    check_time,
    ms,
)

Kind = Literal["renewal", "refund", "churn", "cost"]
KINDS: tuple[Kind, ...] = ("renewal", "refund", "churn", "cost")
GAINS: frozenset[str] = frozenset({"renewal"})  # never a loss; the others are never a gain
_CURRENCY = re.compile(r"[A-Z]{3}")
_IDS = ("outcome_id", "source")


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """An outcome as it is sent: over HTTP, or as a line of a file."""

    outcome_id: str
    source: str
    kind: str
    identifiers: dict[str, str]
    occurred_at: Time
    amount: float | None = None
    currency: str | None = None

    def given(self, received_at: int | None) -> dict[str, Any]:
        """The fields of the Avro schema. `received_at` in ms; None: as its record is."""
        return {
            **msgspec.structs.asdict(self),
            "occurred_at": ms(self.occurred_at),
            "currency": self.currency or "",
            "received_at": received_at,
        }


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One outcome. Times are ms since 1970 UTC."""

    outcome_id: str
    source: str
    kind: str
    identifier: str  # the strongest that was given, keyed where it is personal
    occurred_at: int  # at most 5 minutes ahead of the broker's time
    received_at: int
    amount: float | None = None  # what it brought (+) or cost (−) the business; None: not said
    currency: str = ""  # ISO 4217; '' where there is no amount
    session_id: str = ""  # never: it comes with no visit

    @property
    def key(self) -> str:
        """The same for everything that may take its place."""
        return f"{self.source}\0{self.outcome_id}"

    @property
    def since(self) -> int:
        """The first sign of it (ms): what is erased is whatever occurred, or arrived, before."""
        return min(self.occurred_at, self.received_at)

    @property
    def record(self) -> dict[str, Any]:
        """The fields of the Avro schema `outcome`."""
        namespace, _, value = self.identifier.partition(":")
        said = msgspec.structs.asdict(self)
        del said["identifier"], said["session_id"]
        return said | {"identifiers": {namespace: value}}


def outcome(given: Mapping[str, Any], broker_time: int, keyring: Keyring, region: str) -> Outcome:
    """The outcome that a mapping with the Avro schema's fields tells of; its types are already sure.

    `broker_time` is its record's (ms), or what stands for it; `region` reads phone numbers without country prefix.
    Raises Rejected.
    """
    outcome_id, source = (_id(field, given.get(field) or "", keyring, region) for field in _IDS)
    kind = given.get("kind")
    if kind not in KINDS:
        raise Rejected(Reason.BAD_VALUE, f"kind: none of {', '.join(KINDS)}")
    identifier = _strongest(given.get("identifiers") or {}, keyring, region)
    if given.get("occurred_at") is None:
        raise Rejected(Reason.MISSING_FIELD, "occurred_at")
    check_time("occurred_at", given["occurred_at"])
    received_at = arrival(given, broker_time)
    check_arrival(received_at)
    amount, currency = _amount(kind, given.get("amount"), given.get("currency") or "")
    occurred_at = min(given["occurred_at"], broker_time + AHEAD_MS_MAX)
    return Outcome(outcome_id, source, kind, identifier, occurred_at, received_at, amount, currency)


def _id(field: str, value: str, keyring: Keyring, region: str) -> str:
    """An id or source as it may be kept: as in an interaction, so that an outcome may be told to be one of an event."""
    if not value:
        raise Rejected(Reason.MISSING_FIELD, field)
    check_name(field, value)
    if stands_for_somebody(value):
        raise Rejected(Reason.BAD_VALUE, f"{field}: stands for a customer: say who it is in identifiers")
    return keyring.opaque(value) if texts.holds(value, region) else value


def _strongest(given: Mapping[str, str], keyring: Keyring, region: str) -> str:
    """All are looked at: one that is wrong is refused, however weak."""
    if not given:
        raise Rejected(Reason.NO_IDENTIFIER, "identifiers: empty")
    if not given.keys() <= frozenset(NAMESPACES):
        raise Rejected(Reason.UNKNOWN_NAMESPACE, f"identifiers: none of {', '.join(NAMESPACES)}")
    found = [keyring.resolve(each, given[each], region).identifier for each in NAMESPACES if each in given]
    return found[0]


def _amount(kind: str, amount: float | None, currency: str) -> tuple[float | None, str]:
    if amount is None:
        return None, ""
    check_number("amount", amount)
    if amount and (amount > 0) != (kind in GAINS):
        says, sign = ("brings", "positive") if kind in GAINS else ("costs", "negative")
        raise Rejected(Reason.BAD_VALUE, f"amount: a {kind} {says} the business something, so it must be {sign}, or 0")
    if not currency:
        raise Rejected(Reason.MISSING_FIELD, "currency: an amount needs one")
    if not _CURRENCY.fullmatch(currency):
        raise Rejected(Reason.BAD_VALUE, "currency: must be three capital letters (ISO 4217), such as USD")
    return float(amount) or 0.0, currency
