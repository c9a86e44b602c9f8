"""The API of alerts: which there are, and what people do about them."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from pipeline.domain.alert_shown import position
from pipeline.domain.alerts import ACKNOWLEDGE, RESOLVE, Action
from pipeline.problems import Problem, bad_request
from pipeline.serve import access, shapes_alerts
from pipeline.serve.alerting import UNKNOWN
from pipeline.serve.api import LIMIT_DEFAULT, LIMIT_MAX, PROBLEMS, PURPOSE_DOC, encoded
from pipeline.serve.parts import Parts
from pipeline.serve.shapes import ProblemAnswer
from pipeline.serve.writing import Unwritten

AlertId = Annotated[
    str,
    Path(
        max_length=shapes_alerts.ID_CHARS_MAX,
        description="`alert_id` of the list.",
        examples=["severe-1764158400000-9f2c6a1b0d3e4f55"],
    ),
]
States = Annotated[
    list[shapes_alerts.State] | None, Query(max_length=3, description="Only these; repeat it for several.")
]
Kinds = Annotated[
    list[shapes_alerts.Kind] | None, Query(max_length=6, description="Only these; repeat it for several.")
]
_UNKNOWN_ALERT: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemAnswer, "description": "No such alert stands, or has lately."}
}
_ACTED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes_alerts.ActionAnswer, "description": "It has taken effect."},
    202: {"model": shapes_alerts.ActionAnswer, "description": "It is recorded, and has its effect later."},
    **_UNKNOWN_ALERT,
    409: {"model": shapes_alerts.ActionRefused, "description": "It cannot be: `reason` says why."},
}


def router(parts: Parts) -> APIRouter:
    """The routes under /v1."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["alerts"])
    _reading(routes, parts)
    _acting(routes, parts)
    return routes


def _reading(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/alerts",
        response_model=shapes_alerts.AlertsAnswer,
        response_description="A page of alerts, newest first.",
        summary="What people should look at",
        openapi_extra=PURPOSE_DOC,
    )
    async def listed(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        before: Annotated[str, Query(max_length=1000, description="`next` of the page before.")] = "",
        state: States = None,
        kind: Kinds = None,
        touchpoint: Annotated[str, Query(max_length=256, description="Only of this touchpoint.")] = "",
    ) -> Response:
        """One alert a cause, each owned by somebody. What is resolved is listed for 90 days.

        `threshold`: a touchpoint's dot is red, its whole interval beyond the threshold. `severe`: somebody had a severe
        experience. `complaint_overdue`: a complaint is past its time. `control_limit`: a touchpoint's days have become
        better or worse than chance explains. `ask_again`: a complaint was closed, and who complained is to be asked.
        `stands_alone`: too much is connected with an identifier to be anybody's.
        """
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        if before:
            try:
                position(before)
            except ValueError as error:
                raise bad_request("bad_cursor", "before must be the `next` of the page before.") from error
        page = await parts.alerting.alerts(limit, before, list(state or ()), list(kind or ()), touchpoint)
        await parts.audit.looked_up(
            "alerts", who, purpose, [], _persons(page["alerts"]), f"{len(page['alerts'])} alerts"
        )
        return encoded(page)

    @routes.get(
        "/alerts/{alert_id:path}",
        response_model=shapes_alerts.AlertAnswer,
        response_description="The alert.",
        summary="One alert",
        openapi_extra=PURPOSE_DOC,
        responses=_UNKNOWN_ALERT,
    )
    async def one(request: Request, alert_id: AlertId) -> Response:
        """An alert as it is now."""
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        said = await parts.alerting.alert(alert_id)
        if said["alert"] is None:
            raise _unknown()
        await parts.audit.looked_up("alert", who, purpose, [], _persons([said["alert"]]), said["alert"]["state"])
        return encoded({name: said[name] for name in ("alert", "as_of", "lag_ms")})


def _acting(routes: APIRouter, parts: Parts) -> None:
    options: dict[str, Any] = {"responses": _ACTED}

    @routes.post("/alerts/{alert_id:path}/acknowledge", summary="I look after it", **options)
    async def acknowledge(request: Request, alert_id: AlertId, said: shapes_alerts.ActionRequest) -> Response:
        """Somebody has taken it: it is not escalated any more. Whoever acknowledges last has it."""
        return await _act(parts, request, alert_id, ACKNOWLEDGE, said.note)

    @routes.post("/alerts/{alert_id:path}/resolve", summary="It is done", **options)
    async def resolve(request: Request, alert_id: AlertId, said: shapes_alerts.ActionRequest) -> Response:
        """Nobody has to look at it any more. While its cause holds there is no second alert."""
        return await _act(parts, request, alert_id, RESOLVE, said.note)


async def _act(parts: Parts, request: Request, alert_id: str, what: str, note: str) -> Response:
    """Record what somebody does, and wait for its effect. Raises Problem, AlertAway, Unaudited."""
    who = parts.gate.require(request, "read")
    said = await parts.alerting.alert(alert_id, what)
    if said["alert"] is None:
        raise _unknown()
    if said["refused"] is not None:
        raise _refused(said["refused"], said["alert"])
    action = Action(secrets.token_hex(16), alert_id, what, who.name, parts.masked(note.strip()))
    audited = (f"alert_{what}", who, _persons([said["alert"]]), action.note, action.action_id)
    await parts.audit.ordered(*audited, "given")
    try:
        became = await parts.alerting.act(parts.writer, action)
    except Unwritten as error:
        detail = f"This may or may not be recorded ({error}): GET /v1/alerts says how the alert stands."
        raise Problem(503, "action_unconfirmed", detail, {"Retry-After": "1"}) from error
    if became["state"] != UNKNOWN:
        await parts.audit.ordered(*audited, became["state"])
    if became["state"] == "refused":
        raise _refused(became, became["alert"])
    done = became["state"] != UNKNOWN
    answer = {"action_id": action.action_id, "effect": "complete" if done else "outstanding", "alert": became["alert"]}
    return encoded(answer, 200 if done else 202)


def _refused(why: dict[str, Any], alert: dict[str, Any] | None) -> Problem:
    status = 404 if alert is None else 409
    return Problem(status, why["reason"], why["detail"], alert=alert)


def _unknown() -> Problem:
    return Problem(404, "unknown_alert", "There is no alert with this id; GET /v1/alerts lists them.")


def _persons(shown: list[dict[str, Any]]) -> list[str]:
    return [each["person"] for each in shown if each["person"]]
