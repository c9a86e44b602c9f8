"""Errors as application/problem+json (RFC 9457): what happened, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

#: Seconds after which a client may try again when a worker is being replaced.
RETRY_AFTER_S = 1


class Problem(Exception):
    """An answer that is an error. `reason` is for programs, `detail` for the person who reads the log."""

    def __init__(
        self, status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


def bad_request(reason: str, detail: str, **members: Any) -> Problem:
    """400: the request itself must change."""
    return Problem(400, reason, detail, **members)


def unavailable(reason: str, detail: str) -> Problem:
    """503: the same request will work a moment later."""
    return Problem(503, reason, detail, {"Retry-After": str(RETRY_AFTER_S)})


def answer(problem: Problem) -> Response:
    """The problem as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "reason": problem.reason,
        "detail": problem.detail,
        **problem.members,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(msgspec.json.encode(body), problem.status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """Let every error of the app leave it as problem+json."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        fields = [
            {"field": ".".join(str(part) for part in each["loc"][1:]) or str(each["loc"][0]), "detail": each["msg"]}
            for each in error.errors()[:20]
        ]
        said = "; ".join(f"{each['field']}: {each['detail']}" for each in fields)
        return answer(bad_request("invalid_request", f"{said}. /docs shows what is expected.", errors=fields))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        detail = {
            404: "There is nothing at this path. /docs lists what there is.",
            405: "This path takes another method. /docs says which.",
        }.get(error.status_code, "")
        phrase = HTTPStatus(error.status_code).phrase
        reason = phrase.lower().replace(" ", "_")
        return answer(Problem(error.status_code, reason, detail or str(error.detail), error.headers))

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        # Starlette raises it again after this answer, so that it reaches the log with its traceback.
        return answer(Problem(500, "unexpected", "This should not have happened; the log says more."))
