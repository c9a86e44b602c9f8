"""What the API takes and gives, as types: for checking requests, and for /docs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

KEYS_MAX = 10
VALUE_CHARS_MAX = 256
PURPOSE_CHARS_MAX = 64

Time = Annotated[str, Field(description="RFC 3339 in UTC", examples=["2025-11-22T10:00:00.000Z"])]
Channel = Literal["web", "mobile", "phone", "in_store", "chat", "message", "partner"]
Purpose = Annotated[
    str,
    Field(
        min_length=1,
        max_length=PURPOSE_CHARS_MAX,
        description="Why you look, in a few words; every lookup is audited with it.",
        examples=["support call"],
    ),
]


class Key(BaseModel):
    """Something that points at a person, as they or your system know it."""

    model_config = ConfigDict(extra="forbid")
    namespace: Literal["customer", "loyalty", "email", "phone", "anonymous", "device"]
    value: Annotated[
        str,
        Field(
            min_length=1,
            max_length=VALUE_CHARS_MAX,
            description="In any usual spelling: +1 415 555 0142, Ada@Example.com, 4711.",
            examples=["+1 415 555 0142"],
        ),
    ]


class ContextRequest(BaseModel):
    """Who is meant: one or more keys of the same person."""

    model_config = ConfigDict(extra="forbid")
    keys: Annotated[
        list[Key],
        Field(min_length=1, max_length=KEYS_MAX, description=f"1 to {KEYS_MAX} keys of the same person."),
    ]
    purpose: Purpose


class Candidate(BaseModel):
    """One of the persons who may be meant: enough to ask the right question."""

    id: str
    initials: str
    last_seen: Time | None


class Identifier(BaseModel):
    """An identifier of the person; phone and e-mail masked, and keyed in `id`."""

    id: str
    namespace: str
    value: str
    first_seen: Time | None
    last_seen: Time | None


class Profile(BaseModel):
    """The person."""

    id: str
    identifiers: list[Identifier]
    traits: dict[str, Any]


class Searched(BaseModel):
    """A search, or something looked at."""

    text: str
    channel: str
    touchpoint: str
    occurred_at: Time
    age_s: int


class Now(BaseModel):
    """What is going on: the newest 10 of each in the last minutes; goals and complaints as long as they are open."""

    searches: list[Searched]
    viewed: list[Searched]
    open_goals: list[dict[str, Any]]
    open_complaints: list[dict[str, Any]]
    last_order: dict[str, Any] | None
    preferences: dict[str, Any]


class Score(BaseModel):
    """0 to 100, higher is better; null where there is no evidence."""

    value: float | None
    n: int
    kind: Literal["asked", "observed", "mixed", ""]


class Worst(BaseModel):
    """The touchpoint that served them worst in the last 30 days: its mean, 0 to 100, from `n` experiences."""

    touchpoint: str
    value: float
    n: int


class Gap(BaseModel):
    """How much better than expected, in percent of what was: −100 to 100."""

    value: float
    n: int


class Trend(BaseModel):
    """A moving average of their experiences and the limits outside which it is no chance."""

    direction: Literal["rising", "falling", "steady"]
    value: float
    low: float
    high: float
    n: int


class Scores(BaseModel):
    """The person's experience lately. Null: too little is known, or (of the worst touchpoint) none was poor."""

    definition: int | None = Field(description="version of the definition they are by; null: nobody is known")
    effectiveness: Score
    ease: Score
    emotion: Score
    overall: Score
    worst_touchpoint: Worst | None
    expectation_gap: Gap | None
    trend: Trend | None
    at_risk: str | None = Field(description="why the person may leave; null: nothing says so")
    repeat_contacts: int = Field(description="contacts about the same issue within days of another one")


class Entry(BaseModel):
    """One interaction of the timeline."""

    model_config = ConfigDict(extra="allow")
    source: str
    event_id: str
    occurred_at: Time
    channel: str
    type: str
    touchpoint: str
    session_id: str
    identifier: str
    summary: str
    public: bool = Field(
        False, description="it came with a public key, so anybody may have sent it; left out where it did not"
    )


class Fresh(BaseModel):
    """How far the answer reaches: up to `as_of`, which is `lag_ms` behind the stream."""

    as_of: Time | None
    lag_ms: int


class ContextAnswer(Fresh):
    """Everything to know about who is meant, or whom to ask about."""

    match: Literal["none", "one", "ambiguous"]
    candidates: list[Candidate]
    profile: Profile | None
    consent: dict[str, bool] = Field(
        description="what the person allows or refuses, by purpose; who refuses `service` is shown no more than that"
    )
    now: Now
    scores: Scores
    timeline: list[Entry]


class TimelineAnswer(Fresh):
    """A page of the timeline, newest first. `next` is the `before` of the following page."""

    timeline: list[Entry]
    next: str | None


class RingingCall(BaseModel):
    """A call that nobody has answered yet."""

    session_id: str
    id: str = Field(
        description="who calls: the identifier it rings under, or a stronger one named in its session since"
    )
    caller: str = Field(description="what may be shown of it")
    touchpoint: str
    queue: str
    extension: str
    rang_at: Time
    age_s: int


class RingingAnswer(BaseModel):
    """The calls that ring now, newest first."""

    calls: list[RingingCall]


class ProblemAnswer(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
