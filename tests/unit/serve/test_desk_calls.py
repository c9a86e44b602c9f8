"""A call at one desk and not at another; what a caller's card holds before they are verified; what an agent notes."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.serve.access import COOKIE, Ticket
from pipeline.serve.calls import Calls
from pipeline.serve.desk_stream import Resume, desk_events
from pipeline.serve.pages import Pages
from pipeline.serve.seat import (
    VERIFIED_MAX,
    VERIFIED_S,
    Seat,
    usable_extension,
    with_verified,
    without_by_hand,
)
from tests.serving import KEYRING, keyed, now_ms, until
from tests.unit.serve.conftest import Serving, seat
from tests.unit.serve.test_calls import phase
from tests.unit.serve.test_desk import heard

PHONE, MASKS = keyed("phone", "+14155550142")
NOW = 1_700_000_000_000
FORM = "0123456789abcdef" * 2


def ring(desk: Serving, session: str, extension: str = "", kind: str = "call_ringing", at: int = 0) -> None:
    """A call, as the topic has it: extensions are pseudonyms there."""
    details = {"queue": "returns", **({"extension": desk.parts.staff.name(extension)} if extension else {})}
    entry = {"type": kind, "event_id": f"{kind}-{session}", "identifier": PHONE, "masks": MASKS, "session_id": session}
    entry |= {"touchpoint": "call_queue", "occurred_at": at or now_ms(), "details": details}
    desk.parts.calls.see(entry, now_ms())


def ada(desk: Serving) -> None:
    """A customer with a phone, a search a moment ago, and things that only a verified caller may hear."""
    desk.world.say("customer:1", type="profile_updated", properties={"name": "Ada Lovelace", "city": "London"})
    desk.world.say("customer:1", type="identified", links=(PHONE, "anonymous:a1"), masks=MASKS)
    desk.world.say("customer:1", type="complaint_opened", issue="Broken zip", ago_s=9000)
    desk.world.say("customer:1", type="order_placed", properties={"order_id": "W-1"}, ago_s=9000)
    desk.world.say("anonymous:a1", type="searched", properties={"query": "return blue shoes"}, ago_s=130)


# Which calls concern a desk


def at_desk(calls: Calls, *names: str) -> list[str]:
    return [each.session_id for each in calls.ringing_at(names, NOW)]


def test_a_desk_sees_its_own_calls_and_those_that_ring_nowhere_in_particular() -> None:
    calls = Calls()
    for n, extension in enumerate(("21", "22", "")):
        calls.see(phase("ringing", f"c{n}", NOW + n, details={"extension": extension}), NOW)
    assert at_desk(calls, "21") == ["c2", "c0"]
    assert at_desk(calls, "staff:x", "22") == ["c2", "c1"]
    assert at_desk(calls) == ["c2", "c1", "c0"]  # who has not said where their phone rings sees all


def newest(calls: Calls, after: int = 0, *names: str) -> str | None:
    found = calls.newest_at(names or ("21",), after, NOW)
    return found.session_id if found is not None else None


def test_the_newest_call_at_an_extension_until_it_is_over() -> None:
    calls = Calls()
    at21 = {"details": {"extension": "21"}}
    assert newest(calls) is None
    calls.see(phase("ringing", "a", NOW - 9, **at21), NOW)
    calls.see(phase("ringing", "b", NOW - 5, **at21), NOW)
    assert (newest(calls), newest(calls, NOW - 5), newest(calls, 0, "22")) == ("b", None, None)
    calls.see(phase("answered", "b", NOW - 4, **at21), NOW)
    assert newest(calls) == "b"  # quick fingers: it is on the phone
    calls.see(phase("ended", "b", NOW - 3, **at21), NOW)
    assert newest(calls) == "a"


def test_a_call_that_is_passed_on_rings_where_it_was_passed_to() -> None:
    calls = Calls()
    for at, kind, extension in ((9, "ringing", "21"), (8, "answered", "21"), (5, "ringing", "22")):
        calls.see(phase(kind, "a", NOW - at, details={"extension": extension}), NOW)
    assert (newest(calls), newest(calls, NOW - 6, "22")) == (None, "a")
    calls.see(phase("ringing", "a", NOW - 9, details={"extension": "21"}), NOW)  # told again, late
    assert newest(calls) is None


def test_a_call_that_was_answered_before_it_rang_is_where_it_rang() -> None:
    calls = Calls()
    calls.see(phase("answered", "a", NOW - 4), NOW)
    calls.see(phase("ringing", "a", NOW - 9, details={"extension": "21"}), NOW)
    assert newest(calls) == "a"


# The stream


async def test_a_call_opens_on_the_desk_where_it_rings_and_on_no_other(serving: Serving) -> None:
    pages = Pages(serving.parts)
    mine, other = (desk_events(serving.parts, pages, seat(extension=each), None) for each in ("21", "22"))
    for each in (mine, other):
        await heard(each, "calls")
    ring(serving, "c1", "21")
    said = await heard(mine, "rings")
    assert said["path"] == f"/desk/customers/{PHONE}?call=c1"
    assert said["caller"] == "+1 ••• ••42"
    assert "your phone" in (await heard(mine, "calls"))["html"]
    ring(serving, "c2", "22")
    assert (await heard(other, "rings"))["path"].endswith("?call=c2")
    assert "call=c1" not in (await heard(other, "calls"))["html"]
    for each in (mine, other):
        await each.aclose()


async def resumed(desk: Serving, since: Resume, call: str = "") -> list[str]:
    """The first events of a desk that comes back, up to its list of calls."""
    stream, names = desk_events(desk.parts, Pages(desk.parts), seat(extension="21"), None, call, since), []
    async with asyncio.timeout(5):
        async for chunk in stream:
            names.append(chunk.split(b"\n")[0].decode().removeprefix("event: "))
            if names[-1] == "calls":
                break
    await stream.aclose()
    return names


async def test_it_goes_on_where_it_stopped(serving: Serving) -> None:
    stream = desk_events(serving.parts, Pages(serving.parts), seat(extension="21"), None)
    await heard(stream, "calls")
    ring(serving, "c1", "21")
    last = (await heard(stream, "rings"))["id"]
    await stream.aclose()
    assert "rings" not in await resumed(serving, Resume.parse(last))  # it was opened already
    ring(serving, "c2", "21", at=now_ms() + 5)
    ring(serving, "c2", "21", "call_answered", at=now_ms() + 9)  # while nobody listened
    assert "rings" in await resumed(serving, Resume.parse(last))
    assert "rings" not in await resumed(serving, Resume.parse(last), "c2")  # the page shows it


async def test_last_event_id_is_what_the_page_has(serving: Serving) -> None:
    serving.world.say("customer:1", type="searched", properties={"query": "shoes"})
    stream = desk_events(serving.parts, Pages(serving.parts), seat("customer:1"), "customer:1")
    first = await heard(stream, "card")
    await stream.aclose()
    again = desk_events(
        serving.parts, Pages(serving.parts), seat("customer:1"), "customer:1", "", Resume.parse(first["id"])
    )
    async with asyncio.timeout(5):
        chunks = [await anext(again) for _ in range(3)]
    assert not [each for each in chunks if each.startswith(b"event: card")]
    serving.world.say("customer:1", type="searched", properties={"query": "boots"})
    assert "boots" in (await heard(again, "card"))["html"]
    await again.aclose()


@pytest.mark.parametrize("text", ["", "x", "0123.", ".5", "zz.1", "0" * 17 + ".1", "a.-1", "a." + "9" * 17])
def test_an_event_id_that_is_none_means_a_page_that_has_nothing(text: str) -> None:
    since = Resume.parse(text)
    assert (since.shown, since.opened) in (("", 0), ("", 5))


def test_an_event_id_is_read_as_it_was_written() -> None:
    assert Resume.parse(Resume("0a", 17).token) == Resume("0a", 17)
    assert Resume.parse(Resume().token) == Resume()


# Where the phone rings


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (" 21 ", "21"),
        ("", ""),
        ("SIP/21", None),
        ("2" * 33, None),
        ("21\n22", None),
        ("<b>", None),
        ("a.lee@21", "a.lee@21"),
    ],
)
def test_extensions(said: str, expected: str | None) -> None:
    assert usable_extension(said) == expected


async def test_an_extension_is_kept_in_the_session_and_changed(serving: Serving) -> None:
    serving.sign_in()
    assert "Your extension" in (await serving.client.get("/desk")).text
    answer = await serving.client.post("/desk/extension", data={"extension": "21", "id": "customer:1", "call": "c 1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/customers/customer:1?call=c+1")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "Extension 21" in (await serving.client.get("/desk")).text
    assert (await serving.client.post("/desk/extension", data={"extension": "22"})).headers["location"] == "/desk"
    assert "Extension 22" in (await serving.client.get("/desk")).text
    refused = await serving.client.post("/desk/extension", data={"extension": "<22>"})
    assert refused.status_code == 422
    assert "up to 32 letters and digits" in refused.text
    ticket = serving.parts.sessions.ticket(serving.client.cookies[COOKIE], now_ms() / 1000)
    assert ticket is not None
    assert (ticket.id, ticket.extension) == ("test", "22")


# Verified, for one call


async def test_who_is_not_verified_is_named_and_no_more(serving: Serving) -> None:
    ada(serving)
    serving.sign_in()
    text = (await serving.client.get(f"/desk/customers/{PHONE}")).text
    for shown in ("<h1>Ada Lovelace</h1>", "Matched by phone number, not verified", "Searched “return blue shoes”"):
        assert shown in text
    for hidden in ("Broken zip", "W-1", "London", "customer number 1", ">a1<", 'data-part="timeline"', "/desk/note"):
        assert hidden not in text, hidden
    stream = desk_events(serving.parts, Pages(serving.parts), seat(), PHONE)
    html = (await heard(stream, "card"))["html"]
    await stream.aclose()
    assert "Ada Lovelace" in html
    assert "Broken zip" not in html
    for path in (f"/desk/older?id={PHONE}&before=WzEsICJhIiwgImIiXQ", f"/desk/identity?id={PHONE}"):
        answer = await serving.client.get(path)
        assert answer.status_code == 403
        assert "Verify the caller first" in answer.text


async def test_verified_in_one_call_is_verified_in_no_other(serving: Serving) -> None:
    ada(serving)
    serving.sign_in()
    answer = await serving.client.post("/desk/verify", data={"id": PHONE, "call": "c1"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk/customers/{PHONE}?call=c1")
    record = serving.ledger.audit[-1]
    assert (record["action"], record["outcome"]) == ("verify", "verified")
    assert (record["subjects"], record["shown"]) == (serving.sealed(PHONE), serving.sealed("customer:1"))
    for path, shown in ((f"{PHONE}?call=c1", True), (PHONE, False), (f"{PHONE}?call=c2", False)):
        text = (await serving.client.get(f"/desk/customers/{path}")).text
        assert ("Broken zip" in text) is shown, path
    serving.client.cookies.clear()
    serving.sign_in()  # another desk
    assert "Broken zip" not in (await serving.client.get(f"/desk/customers/{PHONE}?call=c1")).text


async def test_whoever_is_named_in_the_call_then_is_not_verified_by_that(serving: Serving) -> None:
    ada(serving)
    serving.world.say("customer:2", type="profile_updated", properties={"name": "Karl Hopper"})
    serving.world.say("customer:2", type="order_placed", properties={"order_id": "W-2"})
    ring(serving, "c1")
    stream = desk_events(serving.parts, Pages(serving.parts), seat("customer:1", call="c1"), PHONE, "c1")
    assert "Broken zip" in (await heard(stream, "card"))["html"]
    named = {"type": "identified", "identifier": "customer:2", "session_id": "c1", "event_id": "n", "touchpoint": ""}
    serving.parts.calls.see({**named, "occurred_at": now_ms()}, now_ms())
    html = (await heard(stream, "card"))["html"]
    await stream.aclose()
    assert "Karl Hopper" in html
    assert "not verified" in html
    assert "W-2" not in html


async def test_a_search_begins_a_new_conversation(serving: Serving) -> None:
    ada(serving)
    serving.sign_in()
    await serving.client.post("/desk/verify", data={"id": "customer:1"})
    await serving.client.post("/desk/verify", data={"id": PHONE, "call": "c1"})
    assert "Broken zip" in (await serving.client.get("/desk/customers/customer:1")).text
    await serving.client.post("/desk/search", data={"q": "1"})
    assert "Broken zip" not in (await serving.client.get("/desk/customers/customer:1")).text
    assert "Broken zip" in (await serving.client.get(f"/desk/customers/{PHONE}?call=c1")).text


async def test_nobody_and_several_cannot_be_verified(serving: Serving) -> None:
    serving.sign_in()
    for number in "12":
        serving.world.say(f"customer:{number}", links=(PHONE,), masks=MASKS, session_id=number)
    answer = await serving.client.post("/desk/verify", data={"id": PHONE})
    assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)
    text = (await serving.client.get(f"/desk/customers/{PHONE}?call=c1")).text
    assert "“What is your customer number, please?”" in text
    assert "/desk/customers/customer:1?call=c1" in text
    assert "/desk/verify" not in text


def holds(ticket: Ticket, call: str, at: float) -> bool:
    base = seat()
    return Seat(base.who, base.zone, ticket, "test").has_verified(call, "customer:1", at)


def test_verifying_is_bounded_in_time_and_number() -> None:
    ticket = with_verified(Ticket("x", NOW), "c0", "customer:1", NOW)
    assert holds(ticket, "c0", NOW + VERIFIED_S - 1)
    assert not holds(ticket, "c0", NOW + VERIFIED_S)
    assert not seat("customer:1").has_verified("", None, now_ms() / 1000)
    for n in range(VERIFIED_MAX):
        ticket = with_verified(ticket, f"d{n}", "customer:1", NOW + n)
    assert len(ticket.verified) == VERIFIED_MAX
    assert not holds(ticket, "c0", NOW)
    assert holds(ticket, "d0", NOW)
    assert without_by_hand(ticket) == ticket
    assert without_by_hand(with_verified(Ticket("x", NOW), "", "customer:1", NOW)).verified == ()


# Notes


def said(**more: str) -> dict[str, str]:
    return {"id": "customer:1", "call": "c1", "form": FORM, "kind": "note", **more}


async def test_a_note_is_an_event_of_the_call(serving: Serving) -> None:
    ada(serving)
    ring(serving, "c1", "21")
    serving.sign_in("customer:1", extension="21", call="c1")
    text = (await serving.client.get("/desk/customers/customer:1?call=c1")).text
    assert '<option value="return">Returning something</option>' in text
    assert '<option value="unresolved">' in text
    answer = await serving.client.post("/desk/note", data=said(issue="return", outcome="resolved", text="Label sent"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/customers/customer:1?call=c1&noted=1")
    [(key, event)] = serving.ledger.noted
    name = serving.parts.staff.name("21")
    assert key == "customer:1"
    assert (event["type"], event["issue"], event["session_id"]) == ("call_noted", "return", "c1")
    assert (event["source"], event["event_id"], event["touchpoint"]) == ("desk", f"{FORM}-note", "call_queue")
    assert event["details"]["outcome"] == "resolved"
    assert (event["details"]["agent"], event["details"]["extension"], event["details"]["queue"]) == (
        name,
        name,
        "returns",
    )
    assert event["properties"] == {"text": "Label sent"}
    assert event["schema"] == "interaction_phone"
    shown = (await serving.client.get(answer.headers["location"])).text
    assert "Call noted" in shown
    assert "Recorded." in shown


@pytest.mark.parametrize(
    ("form", "types"),
    [
        ({"kind": "complaint", "issue": "delivery"}, ["complaint_opened"]),
        ({"kind": "complaint", "text": "Too late", "outcome": "unresolved"}, ["complaint_opened", "call_noted"]),
        ({"kind": "compliment", "text": "Thank you"}, ["compliment_given"]),
        ({"outcome": "handled"}, ["call_noted"]),
    ],
)
async def test_complaints_and_praise(serving: Serving, form: dict[str, str], types: list[str]) -> None:
    ada(serving)
    serving.sign_in("customer:1", call="c1")
    assert (await serving.client.post("/desk/note", data=said(**form))).status_code == 303
    events = [each for _, each in serving.ledger.noted]
    assert [each["type"] for each in events] == types
    assert len({each["event_id"] for each in events}) == len(types)
    if "complaint_opened" in types:
        assert events[0]["properties"]["complaint_id"] == f"{FORM}-complaint"


@pytest.mark.parametrize(
    ("form", "status", "why"),
    [
        ({}, 422, "or write a note"),
        ({"kind": "complaint", "outcome": "resolved"}, 422, "Choose what the complaint is about"),
        ({"issue": "nonsense"}, 422, "Choose an issue of the list"),
        ({"outcome": "abandoned"}, 422, "Choose an outcome of the list"),
        ({"kind": "order_placed", "text": "x"}, 422, "Choose one of note, complaint, compliment"),
        ({"text": "x" * 1_001}, 422, "at most 1,000 characters"),
        ({"text": "x", "call": "c2"}, 403, "Verify the caller first"),
        ({"text": "x", "id": "customer:2"}, 403, "Verify the caller first"),
    ],
)
async def test_notes_that_are_not_taken(serving: Serving, form: dict[str, str], status: int, why: str) -> None:
    ada(serving)
    serving.world.say("customer:2")
    serving.sign_in("customer:1", call="c1")
    answer = await serving.client.post("/desk/note", data=said(**form))
    assert answer.status_code == status
    assert why in answer.text
    assert serving.ledger.noted == []


async def test_bad_forms(serving: Serving) -> None:
    serving.sign_in("customer:1", call="c1")
    for form in (said(text="x" * 9_000), said(id=""), said(id="phone:+14155550142"), said(call="c" * 300)):
        assert (await serving.client.post("/desk/note", data=form)).status_code == 400
    assert (await serving.client.post("/desk/verify", data={"call": "c1"})).status_code == 400
    assert serving.ledger.noted == []


async def test_a_note_that_kafka_does_not_take_is_there_to_be_sent_again(serving: Serving) -> None:
    ada(serving)
    serving.sign_in("customer:1", call="c1")
    serving.ledger.away = True
    answer = await serving.client.post("/desk/note", data=said(text="Label sent"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    serving.ledger.away = False
    await serving.client.post("/desk/note", data=said(text="Label sent"))
    assert len(serving.ledger.noted) == 1


async def test_who_calls_from_an_unknown_number_can_be_noted(serving: Serving) -> None:
    """Under that number, of which serve knows the keyed form alone."""
    serving.sign_in()
    assert "/desk/note" in (await serving.client.get(f"/desk/customers/{PHONE}?call=c1")).text
    assert (await serving.client.post("/desk/note", data=said(id=PHONE, text="Wrong number"))).status_code == 303
    [(key, event)] = serving.ledger.noted
    assert key == PHONE
    assert event["identifiers"] == {"phone": PHONE.partition(":")[2]}
    assert event["details"]["agent"] == KEYRING.pseudonym("staff", "test")  # no extension: the session's own
    assert event["details"]["extension"] is None


@pytest.mark.parametrize("path", ["extension", "verify", "note"])
async def test_forms_come_from_pages_of_ours_and_from_who_is_signed_in(serving: Serving, path: str) -> None:
    assert (await serving.client.post(f"/desk/{path}", data=said(text="x"))).status_code == 401
    serving.sign_in("customer:1", call="c1")
    for site in ("cross-site", "same-site"):
        answer = await serving.client.post(f"/desk/{path}", data=said(text="x"), headers={"Sec-Fetch-Site": site})
        assert (answer.status_code, answer.json()["reason"]) == (403, "other_origin")
    assert serving.ledger.noted == []


async def test_many_desks_cost_one_look_at_the_calls(serving: Serving) -> None:
    """After a change each desk asks; what they ask was sorted once."""
    for n in range(200):
        ring(serving, f"c{n}", str(n))
    lists = serving.parts.calls._at(now_ms())
    streams = [desk_events(serving.parts, Pages(serving.parts), seat(extension=str(n)), None) for n in range(20)]
    for n, each in enumerate(streams):
        assert (await heard(each, "rings"))["path"].endswith(f"?call=c{n}")
    assert serving.parts.calls._at(now_ms()) is lists or now_ms() - lists.at_ms > 900
    for each in streams:
        await each.aclose()
    await until(lambda: not [each for each in asyncio.all_tasks() if "desk_stream" in repr(each)])


async def test_what_a_session_is_called_breaks_no_event(serving: Serving) -> None:
    ring(serving, '"\n\nevent: card\ndata: {}', "21")
    stream = desk_events(serving.parts, Pages(serving.parts), seat(extension="21"), None)
    assert (await heard(stream, "rings"))["path"].endswith("?call=%22%0A%0Aevent%3A+card%0Adata%3A+%7B%7D")
    await stream.aclose()
