"""What the API takes and gives about alerts, as types: for checking requests, and for /docs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.serve.shapes import Fresh, ProblemAnswer, Time

NOTE_CHARS_MAX = 1_000
ID_CHARS_MAX = 400

State = Literal["open", "acknowledged", "resolved"]
Kind = Literal["threshold", "severe", "complaint_overdue", "control_limit", "ask_again", "stands_alone"]


class Figures(BaseModel):
    """What was measured: its value, its 95 % interval or its limits, and from how much evidence."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Alert(BaseModel):
    """Something that somebody should look at."""

    alert_id: str
    kind: Kind
    state: State
    reason: str = Field(description="in plain words; names nobody")
    touchpoint: str
    person: str | None = Field(description="whose experience or complaint it is; null: it is about nobody")
    owner: str = Field(description="who can do something about it, as the catalogue says")
    deputy: str
    assigned_to: str = Field(description="the owner; the deputy once it was escalated")
    what_to_do: str
    opened_at: Time
    since: Time | None = Field(description="the first sign of what it is about")
    acknowledged_at: Time | None
    acknowledged_by: str
    escalated_at: Time | None = Field(description="when it went to the deputy, because nobody had taken it in time")
    resolved_at: Time | None
    resolved_by: str = Field(description="empty: it ended by itself")
    resolution: str = Field(description="why it was resolved")
    note: str
    figures: Figures


class AlertsAnswer(Fresh):
    """A page, newest first. `next` is the `before` of the following page. Nobody has looked yet: no `as_of`."""

    alerts: list[Alert]
    next: str | None


class AlertAnswer(Fresh):
    """One alert."""

    alert: Alert


class ActionRequest(BaseModel):
    """What there is to say about it."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[
        str,
        Field(max_length=NOTE_CHARS_MAX, description="In plain words; phone numbers and addresses in it are masked."),
    ] = ""


class ActionAnswer(BaseModel):
    """What became of it: `complete`, with the alert as it is now; or `outstanding`, and it has its effect later on."""

    action_id: str
    effect: Literal["complete", "outstanding"]
    alert: Alert | None


class ActionRefused(ProblemAnswer):
    """It cannot be: `reason` says why."""

    alert: Alert | None
