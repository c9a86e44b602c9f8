"""What the API says and takes about identity, as types: for checking requests, and for /docs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pipeline.serve.shapes import Candidate, Fresh, Key, ProblemAnswer, Time

REASON_CHARS_MIN, REASON_CHARS_MAX = 3, 500
ID_CHARS_MAX = 400

IdText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=ID_CHARS_MAX,
        description="An id (`customer:4711`, the keyed form of a phone or e-mail), or an object with `namespace` "
        "and `value`.",
        examples=["customer:4711"],
    ),
]
Named = IdText | Key
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=REASON_CHARS_MIN, max_length=REASON_CHARS_MAX),
    Field(description="Why, for whoever reads the order later.", examples=["she called: both numbers are hers"]),
]
Cap = Literal["links", "owners", "candidates", "reach", "sessions", "size"]
Person = Annotated[str, Field(description="A person's id; `erased`: somebody whose data was erased.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JoinRequest(_Body):
    """Who is whom."""

    from_: Annotated[Named, Field(alias="from", description="Whose interactions become the other's.")]
    into: Annotated[Named, Field(description="Who they are; of the same or a stronger kind.")]
    reason: Reason


class PartRequest(_Body):
    """Who is not whom."""

    identifier: Annotated[Named, Field(description="What does not belong to the person.")]
    person: Annotated[Named, Field(description="The person; of a stronger kind.")]
    reason: Reason


class FreeRequest(_Body):
    """What may belong to more than usual."""

    identifier: Annotated[Named, Field(description="One that stands alone because of a cap.")]
    reason: Reason


class WithdrawRequest(_Body):
    """Which order no longer holds."""

    order_id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.-]+$")]
    reason: Reason


class Outstanding(BaseModel):
    """A profile that may not know yet what was decided about an identifier."""

    profile: str
    identifier: str


class OrderDone(BaseModel):
    """An order that was given."""

    order_id: str
    state: Literal["accepted", "withdrawn", "unknown"] = Field(
        description="`unknown`: recorded, and not decided yet; `withdrawn`: by an order that came later."
    )
    effect: Literal["complete", "outstanding"] = Field(
        description="`complete`: every lookup from now on shows it. `outstanding`: it will be shown, not all is yet; "
        "what concerns very many identifiers takes a while."
    )
    changed: list[str] = Field(description="The identifiers whose person, candidates or sessions it changed.")
    outstanding: list[Outstanding] = []


class Refusal(ProblemAnswer):
    """Why an order was not accepted."""

    order_id: str


class OrderAnswer(BaseModel):
    """An order, as it was said, and what came of it."""

    order_id: str
    number: int
    kind: Literal["join", "part", "free", "withdraw", "erase", "unblock"]
    state: Literal["accepted", "refused", "withdrawn", "finished"]
    why: str = Field(description="Why it was refused or withdrawn; empty where it holds.")
    at: Time | None
    by: str = Field(description="The key or desk session that gave it.")
    reason: str = Field(description="The reason given with it.")
    from_: str | None = Field(alias="from", default=None)
    into: str | None = None
    identifier: str | None = None
    person: str | None = None
    withdrawn: str | None = Field(default=None, description="The order_id of the order that it takes back.")
    changed: list[str]


class OrdersAnswer(BaseModel):
    """Orders, newest first. `next` is the `before` of the following page."""

    orders: list[OrderAnswer]
    next: int | None


class Alone(BaseModel):
    """An identifier that belongs to nobody else, since too much is connected with it."""

    identifier: str
    why: Cap
    public: bool = Field(description="Whether it is only what public keys said of it that does not count.")
    words: str
    since: Time | None
    freed: bool = Field(description="Whether an order has given it a wider cap, which it exceeds too.")


class AloneAnswer(BaseModel):
    """Who stands alone because of a cap, by identifier. `next` is the `after` of the following page."""

    alone: list[Alone]
    next: str | None


class Evidence(BaseModel):
    """An event that showed that two identifiers belong together."""

    from_: Person = Field(alias="from", description="The stronger identifier that it came with, or `erased`.")
    since: Time
    source: str
    event_id: str
    session_id: str
    counts: bool
    why_not: str = Field(description="Why it does not count; empty where it does.")


class SettledSession(BaseModel):
    """A session that evidence has decided about."""

    session_id: str
    person: Person | None = Field(description="Whose it is; null: it stays with the identifier.")


class Explained(BaseModel):
    """An identifier: whose it is, since when, and why."""

    id: str
    namespace: str
    value: str = Field(description="Phone and e-mail masked.")
    state: Literal["person", "resolved", "ambiguous", "alone"]
    person: Person | None = Field(description="Null where it is ambiguous.")
    candidates: list[Candidate] = Field(description="Whom to ask about, where it is ambiguous.")
    since: Time | None = Field(description="The earliest evidence; null where there is none.")
    rule: str = Field(description="The rule that decided, for programs.")
    words: str = Field(description="The rule that decided, for people.")
    until: Time | None = Field(description="Until then it was the first owner's alone, outside of `sessions`.")
    sessions: list[SettledSession] = Field(description="The newest 100 of `sessions_n`.")
    sessions_n: int
    evidence: list[Evidence]
    alone: Cap | None = Field(description="The cap because of which it stands alone.")
    orders: list[str] = Field(description="The orders about it that hold.")


class IdentityAnswer(Fresh):
    """Who an id is, with everything that resolves to that person or may."""

    id: str
    person: Person | None = Field(description="Null where the id is ambiguous.")
    identifiers: list[Explained]
    unresolved: list[str] = Field(description="The ids above that are ambiguous or stand alone.")
    orders: list[OrderAnswer]
    truncated: bool = Field(description="Whether there is more than is shown.")
