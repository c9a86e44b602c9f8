"""What surrounds every answer: security headers, bounded bodies, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.problems import Problem, answer

BODY_BYTES_MAX = 64 * 1024
TOO_LARGE = f"A request's body may have at most {BODY_BYTES_MAX} bytes."
#: No script, style, font or picture from elsewhere; no inline script or style.
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors {}"
#: The one page that may be framed, by those whom the settings name.
FRAMED = "/desk/card"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Shell:
    """The outermost layer of serve's app. `seen(route, seconds)` is told of every answer that begins.

    `framed_by`: the origins whose pages may frame the desk's card, with blanks between them; '' where none may.
    """

    def __init__(self, app: ASGIApp, seen: Callable[[str, float], None], framed_by: str = "") -> None:
        self._app = app
        self._seen = seen
        self._nobody = {**HEADERS, "Content-Security-Policy": POLICY.format("'none'")}
        self._framed = {**HEADERS, "Content-Security-Policy": POLICY.format(framed_by or "'none'")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = self._framed if scope["path"] == FRAMED else self._nobody
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_BYTES_MAX:
                # FastAPI lets this pass, and no other error, while it reads a body.
                raise HTTPException(413, TOO_LARGE)
            return message

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
                route = getattr(scope.get("route"), "path", "other")
                self._seen(route, time.perf_counter() - started)
            await send(message)

        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > BODY_BYTES_MAX:
            await answer(Problem(413, "oversize", TOO_LARGE))(scope, receive, dressed)
            return
        await self._app(_as_json(scope), bounded, dressed)


def _as_json(scope: Scope) -> Scope:
    """A body under /v1 is JSON whatever its label says: `curl -d` calls it a form, browsers' beacons a text."""
    if scope["method"] != "POST" or not scope["path"].startswith("/v1/"):
        return scope
    kept = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*kept, (b"content-type", b"application/json")]}
