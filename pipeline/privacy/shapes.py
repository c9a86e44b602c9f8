"""What the API of privacy takes and says, as types: for checking requests, and for /docs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.serve.shapes import ProblemAnswer, Time
from pipeline.serve.shapes_identity import Named, Reason


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExportRequest(_Body):
    """Whose everything."""

    id: Annotated[Named, Field(description="Any identifier of the person.")]
    reason: Reason


class EraseRequest(_Body):
    """Whom to forget."""

    id: Annotated[Named, Field(description="Any identifier that resolves to the person.")]
    reason: Reason
    block: Annotated[bool, Field(description="Keep nothing that comes afterwards either, until unblocked.")] = False


class UnblockRequest(_Body):
    """Whose interactions are kept again."""

    id: Annotated[Named, Field(description="The identifier itself: nobody knows any more which others went with it.")]
    reason: Reason


class EraseAnswer(BaseModel):
    """Where to ask how far it is."""

    request: str
    status_url: Annotated[str, Field(examples=["/v1/privacy/erase/5b1f…"])]


class UnblockAnswer(BaseModel):
    """Whether it has taken effect."""

    order_id: str
    state: Literal["accepted", "unknown"]
    effect: Literal["complete", "outstanding"]


class Step(BaseModel):
    """One step of an erasure."""

    name: str
    does: str
    state: Literal["waiting", "running", "failed", "done"]
    started: Time | None
    ended: Time | None
    attempts: int
    problem: Annotated[str, Field(description="Why the newest attempt failed; it is tried again.")]


class Place(BaseModel):
    """Somewhere that was looked through."""

    place: str
    how: str
    looked: Annotated[int, Field(description="Records or rows.")]
    found: Annotated[dict[str, int], Field(description="What was taken from here, by kind.")]
    remaining: Annotated[dict[str, int], Field(description="What is still there from before, by kind: nothing.")]
    unread: Annotated[int, Field(description="Records that nobody can decode.")]


class Ageing(BaseModel):
    """What nobody reads any more, or nobody may change."""

    place: str
    what: str
    until: str


class Proof(BaseModel):
    """Where was looked and how, what remains, and what ages out when. It names nobody."""

    request: str
    before: Annotated[Time, Field(description="What occurred or arrived before is erased.")]
    finished: Time
    blocked: bool
    identifiers: Annotated[dict[str, int], Field(description="How many were `erased`, and how many are `shared`.")]
    places: list[Place]
    remaining: Annotated[list[dict[str, Any]], Field(description="Empty.")]
    ages_out: list[Ageing]
    steps: list[Step]


class ErasureAnswer(BaseModel):
    """How far an erasure is, or its proof."""

    request: str
    state: Literal["running", "retrying", "refused", "finished"]
    reason: Annotated[str, Field(description="Why it was refused.")]
    steps: list[Step]
    proof: Proof | None


class Refusal(ProblemAnswer):
    """What cannot be erased as it is asked for."""

    request: str
