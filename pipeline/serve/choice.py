"""What somebody wants to see on the map: which journey, of whom, of which period. From a request, and into paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

from pipeline.domain.blueprint import CHANNELS, EVERYBODY, KNOWN, Segment
from pipeline.domain.catalogue import Journey
from pipeline.domain.periods import DEFAULT, PERIODS

SEGMENT_CHARS_MAX = 200


class NoChoice(ValueError):
    """What was asked for is not there; says what to choose."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown."""

    journey: str
    period: str = DEFAULT
    segment: Segment = EVERYBODY

    @property
    def segment_key(self) -> str:
        """The segment as a form sends it."""
        return key_of(self.segment)

    @property
    def query(self) -> str:
        """As the query of a path."""
        return urlencode({"journey": self.journey, "segment": self.segment_key, "period": self.period})


def key_of(segment: Segment) -> str:
    """A segment in one text; '' is everybody."""
    return f"{segment.kind}:{segment.value}" if segment.kind else ""


def chosen(request: Request, journeys: Mapping[str, Journey], kinds: Sequence[str]) -> Choice:
    """What a request asks for; what it leaves out is the first journey, everybody, 30 days. Raises NoChoice."""
    given = request.query_params
    journey = given.get("journey") or next(iter(journeys), "")
    if journey not in journeys:
        raise NoChoice("The catalogue has no such journey. Choose one of these.")
    period = given.get("period") or DEFAULT
    if period not in PERIODS:
        raise NoChoice("There is no such period. Choose one of these.")
    return Choice(journey, period, _segment(given.get("segment", ""), kinds))


def _segment(text: str, kinds: Sequence[str]) -> Segment:
    if not text:
        return EVERYBODY
    kind, _, value = text.partition(":")
    found = Segment(kind, value)
    usable = 0 < len(value) <= SEGMENT_CHARS_MAX and value.isprintable()
    if found in (*KNOWN, *CHANNELS) or (kind in kinds and kind not in ("known", "channels") and usable):
        return found
    raise NoChoice("There are no such people. Choose one of these.")


def map_path(choice: Choice) -> str:
    """Where the map is."""
    return f"/map?{choice.query}"


def svg_path(choice: Choice) -> str:
    """Where it is as an SVG file."""
    return f"/map.svg?{choice.query}"


def mermaid_path(choice: Choice) -> str:
    """Where it is as Mermaid."""
    return f"/map.mmd?{choice.query}"


def touchpoint_path(touchpoint: str, choice: Choice) -> str:
    """Where a touchpoint is looked at more closely. Ids of the catalogue need no quoting."""
    return f"/map/touchpoints/{touchpoint}?{choice.query}"
