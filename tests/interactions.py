"""Interactions for tests: short to write, complete all the same."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from pipeline.domain.interaction import Answer, Interaction, Item
from pipeline.domain.scores import Piece, piece
from pipeline.domain.scoring import DAY_MS, Curve, Observation, Question, Scoring

NOON = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC: all times of tests are near it
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, DAY_MS

#: Small enough to reckon with by hand: half-life of a day, a survey, a constant, a curve.
SCORING = Scoring(
    version=1,
    half_life_ms=DAY,
    questions={"goal": Question(0), "effort": Question(1), "feeling": Question(2, "csat")},
    observed={
        "goal_completed": Observation((100.0, None, None)),
        "complaint_opened": Observation((None, None, 0.0)),
        "call_ended": Observation(
            curves=(
                Curve("wait_s", 1, ((0.0, 100.0), (100.0, 50.0), (300.0, 0.0))),
                Curve("transfers", 1, ((0, 100), (2, 20))),
            )
        ),
    },
)


def pieces_of(interactions: Iterable[Interaction], scoring: Scoring = SCORING) -> list[Piece]:
    """The pieces of evidence in interactions, in rising order."""
    said = ((x, scoring.experience(x)) for x in interactions)
    return sorted(p for x, each in said if each is not None and (p := piece(x, each)) is not None)


def made(
    identifier: str = "customer:1",
    event_id: str = "e1",
    *,
    at: int = NOON,
    type: str = "page_viewed",
    source: str = "shop",
    channel: str = "web",
    touchpoint: str = "product_page",
    sent: int | None = None,
    received: int = 0,
    links: tuple[str, ...] = (),
    masks: dict[str, str] | None = None,
    items: tuple[Item, ...] = (),
    answer: tuple[str, float, float, float] | None = None,
    measures: dict[str, float] | None = None,
    properties: dict[str, str] | None = None,
    details: dict[str, Any] | None = None,
    session_id: str = "",
    goal: str = "",
    issue: str = "",
    about: str = "",
    consent: dict[str, bool] | None = None,
    claims: tuple[str, ...] = (),
    public: bool = False,
) -> Interaction:
    """An interaction; `received` in ms after `at`."""
    x = Interaction(
        identifier=identifier,
        source=source,
        event_id=event_id,
        channel=channel,
        type=type,
        touchpoint=touchpoint,
        occurred_at=at,
        occurred_at_sent=at if sent is None else sent,
        received_at=NOON + received,
        digest=0,
        links=links,
        masks=masks or {},
        items=items,
        answer=Answer(*answer) if answer else None,
        measures=measures or {},
        properties=properties or {},
        details=details or {},
        session_id=session_id,
        goal=goal,
        issue=issue,
        about=about,
        consent=consent or {},
        claims=claims,
        public=public,
    )
    return changed(x)


def changed(x: Interaction, **fields: Any) -> Interaction:
    """Another copy of an interaction, with a digest of its own content."""
    other = msgspec.structs.replace(x, **fields, digest=0)
    digest = blake2b(msgspec.msgpack.encode(other, order="deterministic"), digest_size=8).digest()
    return msgspec.structs.replace(other, digest=int.from_bytes(digest) >> 1)
