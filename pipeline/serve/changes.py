"""What was changed at a touchpoint, recorded by whoever runs it: `POST /v1/changes`.

It is in Kafka, and on record in `audit`, before the answer goes out. Who recorded it is kept as a pseudonym.
"""

from __future__ import annotations

import difflib
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from pipeline.domain.changes import EPOCH, WHAT_CHARS_MAX, Change
from pipeline.domain.reasons import Rejected
from pipeline.domain.validate import NAME_CHARS_MAX
from pipeline.domain.view import time_text
from pipeline.problems import bad_request, unavailable
from pipeline.serve.api import PROBLEMS, encoded, now_ms
from pipeline.serve.parts import Parts
from pipeline.serve.writing import Unwritten

_EXAMPLE: dict[str, JsonValue] = {
    "change_id": "queue-2025-11",
    "touchpoint": "call_queue",
    "on": "2025-11-24",
    "what": "Chat agents take calls when more than ten people wait.",
}


class ChangeRequest(BaseModel):
    """A change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})
    change_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=NAME_CHARS_MAX,
            description="Names it: recorded again under this id, it takes the place of what was recorded before.",
        ),
    ]
    touchpoint: Annotated[
        str, Field(min_length=1, max_length=NAME_CHARS_MAX, description="Where, as the catalogue calls it.")
    ]
    on: Annotated[
        str,
        Field(
            pattern=r"^\d{4}-\d{2}-\d{2}$",
            description="From which day on it is so, by the clock of the business. It may lie ahead.",
        ),
    ]
    what: Annotated[
        str,
        Field(
            min_length=1,
            max_length=WHAT_CHARS_MAX,
            description="What was changed, in plain words; phone numbers and addresses in it are masked.",
        ),
    ]


class ChangeAnswer(BaseModel):
    """The change as it is kept."""

    change_id: str
    touchpoint: str
    on: str
    what: str = Field(description="masked")
    recorded_at: str
    recorded_by: str = Field(description="a pseudonym, the same as in ClickHouse")


def router(parts: Parts) -> APIRouter:
    """The route under /v1."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["changes"])

    @routes.post(
        "/changes",
        response_model=ChangeAnswer,
        response_description="It is recorded.",
        summary="What was changed at a touchpoint",
    )
    async def changes(request: Request, said: ChangeRequest) -> Response:
        """Record what was changed and since which day, so that before and after can be compared.

        Needs the admin key. The weekly digest lists it, and `throughline analyse changes` says what it did. To correct
        it, record it again under the same id.
        """
        who = parts.gate.require(request, "admin")
        _check_touchpoint(parts, said.touchpoint)
        given: dict[str, Any] = {"change_id": said.change_id, "touchpoint": said.touchpoint, "what": said.what}
        given |= {"changed_on": _days(said.on), "recorded_by": parts.staff.name(who.name)}
        try:
            kept = await parts.changing.record(given, now_ms())
        except Rejected as why:
            raise bad_request(str(why.reason), why.detail) from why
        except Unwritten as error:
            detail = f"This may or may not be recorded ({error}): send it again, which is safe."
            raise unavailable("change_unconfirmed", detail) from error
        await parts.audit.ordered("change", who, (), kept.what, kept.change_id, "recorded")
        return encoded(_shown(kept))

    return routes


def _check_touchpoint(parts: Parts, name: str) -> None:
    if name in parts.catalogued:
        return
    near = difflib.get_close_matches(name, parts.catalogued, 1)
    hint = f"is it {near[0]}?" if near else "touchpoints.yaml has those that there are."
    raise bad_request("unknown_touchpoint", f"touchpoint: the catalogue knows none of that name; {hint}")


def _days(day: str) -> int:
    try:
        return (date.fromisoformat(day) - EPOCH).days
    except ValueError as error:
        raise bad_request("invalid_request", "on: there is no such day; it is written as 2025-11-24.") from error


def _shown(kept: Change) -> dict[str, Any]:
    return {
        "change_id": kept.change_id,
        "touchpoint": kept.touchpoint,
        "on": kept.day.isoformat(),
        "what": kept.what,
        "recorded_at": time_text(kept.recorded_at),
        "recorded_by": kept.recorded_by,
    }
