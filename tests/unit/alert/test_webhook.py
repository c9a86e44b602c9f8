"""The webhook against receivers of every kind: one that takes it, fails, hangs, redirects, refuses, is not there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pipeline import metrics
from pipeline.alert.webhook import DELIVERY, SIGNATURE, Patience, Webhook, change_of, message, sign, verify
from pipeline.domain.alerts import Alert
from tests.serving import free_port

SECRET = "webhook_secret"
QUICK = Patience(connect_s=0.5, answer_s=0.3, retry_s_min=0.01, retry_s_max=0.04, told_s_max=0.2, give_up_s=5.0)
BODY = b'{"event": "alert.opened"}'


@dataclass
class Receiver:
    """Answers as it is told to: a status, or a function that answers."""

    answers: list[Any] = field(default_factory=list)
    seen: list[tuple[float, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((time.monotonic(), dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, int):
            return web.Response(status=answer)
        return await answer(request)  # type: ignore[no-any-return]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{port}/alerts"
    yield receiver
    await runner.cleanup()


def counted(outcome: str) -> float:
    return metrics.WEBHOOK_REQUESTS.labels(outcome)._value.get()  # type: ignore[no-any-return]


async def told(url: str, patience: Patience = QUICK) -> str:
    webhook = Webhook(url, SECRET, patience)
    await webhook.open()
    try:
        return await webhook.tell(BODY, "alerts/3/17")
    finally:
        await webhook.close()


async def test_a_change_comes_signed_with_its_place(receiver: Receiver) -> None:
    before = counted("delivered")
    assert await told(receiver.url) == "delivered"
    ((_, headers, body),) = receiver.seen
    assert (body, headers["Content-Type"], headers[DELIVERY]) == (BODY, "application/json", "alerts/3/17")
    assert verify(SECRET, body, headers[SIGNATURE], time.time())
    assert counted("delivered") == before + 1


def slow(seconds: float) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response()

    return answer


async def cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    "trouble", [500, 502, 503, 599, 408, 425, 429, slow(30), cut], ids=lambda each: getattr(each, "__name__", str(each))
)
async def test_what_passes_is_tried_again_with_the_same_bytes_and_a_new_signature(
    receiver: Receiver, trouble: Any
) -> None:
    before = counted("retried")
    receiver.answers = [trouble, trouble, 200]
    assert await told(receiver.url) == "delivered"
    assert len(receiver.seen) == 3
    assert {body for _, _, body in receiver.seen} == {BODY}
    assert all(verify(SECRET, BODY, headers[SIGNATURE], time.time()) for _, headers, _ in receiver.seen)
    assert {headers[DELIVERY] for _, headers, _ in receiver.seen} == {"alerts/3/17"}
    assert counted("retried") == before + 2


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 410, 413])
async def test_what_does_not_pass_is_refused_at_once_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    before = counted("refused")

    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": receiver.url + "/elsewhere"})

    receiver.answers = [elsewhere]
    assert await told(receiver.url) == "refused"
    assert len(receiver.seen) == 1
    assert counted("refused") == before + 1


async def test_the_pauses_grow_up_to_a_bound(receiver: Receiver) -> None:
    receiver.answers = [503] * 5
    assert await told(receiver.url) == "delivered"
    times = [at for at, _, _ in receiver.seen]
    pauses = [b - a for a, b in pairwise(times)]
    assert all(pause >= least for pause, least in zip(pauses, (0.01, 0.02, 0.04, 0.04, 0.04), strict=True))


@pytest.mark.parametrize("form", ["number", "date", "nonsense", "far too long"])
async def test_it_waits_as_long_as_it_is_asked_to_within_a_bound(receiver: Receiver, form: str) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    text = {"number": "7", "date": soon, "nonsense": "soon ²", "far too long": "9" * 30}[form]

    async def later(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": text.encode("ascii", "replace").decode()})

    receiver.answers = [later]
    assert await told(receiver.url) == "delivered"
    pause = receiver.seen[1][0] - receiver.seen[0][0]
    asked = form in ("number", "date")
    assert (pause >= QUICK.told_s_max) is asked
    assert pause < 2.0


async def test_after_its_time_it_is_given_up_and_counted(receiver: Receiver) -> None:
    before = counted("given_up")
    receiver.answers = [500] * 1_000
    patience = Patience(answer_s=0.3, retry_s_min=0.01, retry_s_max=0.02, give_up_s=0.2)
    assert await told(receiver.url, patience) == "given_up"
    assert len(receiver.seen) > 2
    assert counted("given_up") == before + 1


async def test_where_nobody_is_there_it_is_tried_until_somebody_is() -> None:
    port = free_port()
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/", receiver.handle)
    telling = asyncio.create_task(told(f"http://127.0.0.1:{port}/"))
    await asyncio.sleep(0.05)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    assert await telling == "delivered"
    await runner.cleanup()


@given(st.binary(max_size=50), st.text(max_size=20), st.integers(0, 2**40))
def test_only_the_same_bytes_time_and_secret_are_verified(body: bytes, secret: str, at: int) -> None:
    header = sign(secret, body, at)
    assert verify(secret, body, header, at)
    assert verify(secret, body, header, at + 300)
    assert not verify(secret, body, header, at + 301)
    assert not verify(secret, body + b"x", header, at)
    assert not verify(secret + "x", body, header, at)
    moved = header.replace(f"t={at}", f"t={at + 1}")
    assert not verify(secret, body, moved, at)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", "t=²,v1=", "t=1,v1=é", "nonsense", "t=-1,v1=a"])
def test_a_broken_signature_is_none(header: str) -> None:
    assert not verify(SECRET, BODY, header, 1)


def test_the_signature_is_an_hmac_over_time_and_body() -> None:
    """As README.md says, in the words of the standard library."""
    expected = hmac.new(SECRET.encode(), b"1764158400." + BODY, hashlib.sha256).hexdigest()
    assert sign(SECRET, BODY, 1_764_158_400) == f"t=1764158400,v1={expected}"


def test_what_the_readme_says_to_do_is_what_has_to_be_done() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", readme.partition("## Alerts and the webhook")[2], re.DOTALL)
    known: dict[str, Any] = {}
    exec(block, known)  # as a reader would run it
    now = int(time.time())
    assert known["is_genuine"](SECRET, BODY, sign(SECRET, BODY, now))
    assert not known["is_genuine"](SECRET, BODY + b" ", sign(SECRET, BODY, now))
    assert not known["is_genuine"](SECRET, BODY, sign(SECRET, BODY, now - 400))
    assert not known["is_genuine"]("other", BODY, sign(SECRET, BODY, now))


def test_a_message_holds_the_alert_as_the_api_shows_it() -> None:
    alert = Alert(alert_id="severe-1", kind="severe", opened_at=0, change="escalated", person="customer:1")
    said = json.loads(message(alert, "alerts/3/17"))
    assert (said["delivery"], said["event"]) == ("alerts/3/17", "alert.escalated")
    assert (said["alert"]["alert_id"], said["alert"]["person"]) == ("severe-1", "customer:1")


def test_what_identify_tells_is_opened_or_resolved() -> None:
    alone = Alert(alert_id="stands_alone|x", kind="stands_alone", opened_at=0)
    assert change_of(alone) == "opened"
    assert change_of(Alert(alert_id="stands_alone|x", kind="stands_alone", opened_at=0, closed_at=1)) == "resolved"
