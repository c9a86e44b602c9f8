"""Names and texts that may name no customer: of observations and changes, and the ids of outcomes.

A name that stands for somebody, or holds personal data, is refused; in a text it is taken out.
"""

from __future__ import annotations

import re

from pipeline.domain import texts
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import check_name

IDENTIFIER = "[identifier]"  # what stands in a text where one was
_OF_SOMEBODY = re.compile(rf"\b(?:{'|'.join(NAMESPACES)}):\S+")


def stands_for_somebody(name: str) -> bool:
    """Whether a name is an identifier, as in `customer:4711`."""
    return _OF_SOMEBODY.match(name) is not None


def check_impersonal(field: str, name: str, region: str, what: str) -> None:
    """Raises Rejected where a name is missing, cannot be shown, stands for a customer or holds personal data.

    `region` reads phone numbers without country prefix; `what` it is a name of, as in `observation`.
    """
    if not name:
        raise Rejected(Reason.MISSING_FIELD, field)
    check_name(field, name)
    if stands_for_somebody(name) or texts.holds(name, region):
        raise Rejected(Reason.BAD_VALUE, f"{field}: stands for a customer, or holds personal data; no {what} may")


def masked(field: str, text: str, region: str, chars_max: int) -> str:
    """A text as it may be kept, never longer than it may be (some single characters normalise to many).

    Raises Rejected where it is longer as it came.
    """
    if len(text) > chars_max:
        raise Rejected(Reason.OVERSIZE, f"{field}: longer than {chars_max} characters")
    return _OF_SOMEBODY.sub(IDENTIFIER, texts.masked(text, region))[:chars_max].strip()
