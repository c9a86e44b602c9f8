"""The form for staff as HTML, and what it writes; tests/system/test_observe.py looks at it in a browser."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from pipeline.domain.validate import TEXT_CHARS_MAX
from pipeline.serve.asked import LAYERS, asked, groups, named
from tests.serving import CATALOGUE, now_ms
from tests.unit.serve.conftest import Serving

ID = "0123456789abcdef0123456789abcdef"


async def send(serving: Serving, touchpoint: str, **fields: str) -> httpx.Response:
    """POST the form as a browser does."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    return await serving.client.post(f"/observe/{touchpoint}", data={"id": ID, **fields}, headers=headers)


def observations(serving: Serving) -> list[dict[str, Any]]:
    return [record for _, record in serving.ledger.observed]


def test_every_touchpoint_is_asked_about_once_under_its_layer() -> None:
    shown = groups(CATALOGUE.touchpoints.values())
    assert [group.title for group in shown] == list(LAYERS.values())
    ids = [each.id for group in shown for each in group.touchpoints]
    assert sorted(ids) == sorted(CATALOGUE.touchpoints)
    assert [each.id for each in shown[0].touchpoints] == [
        "shift_planning",
        "order_picking",
        "dispatch",
        "product_content",
    ]


@pytest.mark.parametrize(
    ("touchpoint", "measure", "label", "unit", "hint"),
    [
        ("shift_planning", "agents_missing", "Agents missing", "", "Green up to 1, yellow up to 3, red beyond."),
        ("order_picking", "open_orders_h", "Open orders", "hours", "Green up to 4, yellow up to 8, red beyond."),
        ("payment_service", "availability", "Availability", "", "Green from 99.9, yellow from 99, red below."),
        ("store_counter", "wait_s", "Wait", "seconds", "Customers expect at most 180."),
        ("site_search", "results", "Results", "", "Customers expect at least 3."),
        ("staff_mood", "", "", "", ""),
        ("store_floor", "", "", "", ""),
    ],
)
def test_what_is_asked_is_the_catalogues_measure(
    touchpoint: str, measure: str, label: str, unit: str, hint: str
) -> None:
    found = asked(CATALOGUE.touchpoints[touchpoint])
    assert (found.measure, found.label, found.measured_in, found.hint) == (measure, label, unit, hint)


def test_units_are_told_from_names() -> None:
    assert named("handover_late_min") == ("Handover late", "minutes")
    assert named("_s") == ("S", "")
    assert named("steps") == ("Steps", "")


async def test_who_is_not_signed_in_sees_no_form_and_says_nothing(serving: Serving) -> None:
    for path in ("/observe", "/observe/shift_planning"):
        answer = await serving.client.get(path)
        assert answer.status_code == 401
        assert "You are not signed in" in answer.text
    assert (await send(serving, "shift_planning", value="1")).status_code == 401
    headers = serving.headers | {"Sec-Fetch-Site": "same-origin"}  # a program has the API
    assert (
        await serving.client.post("/observe/shift_planning", data={"value": "1"}, headers=headers)
    ).status_code == 401
    assert not serving.ledger.observed


async def test_a_page_of_another_origin_cannot_send_it(serving: Serving) -> None:
    serving.sign_in()
    for site in ("cross-site", "same-site"):
        answer = await serving.client.post(
            "/observe/shift_planning", data={"value": "1"}, headers={"Sec-Fetch-Site": site}
        )
        assert (answer.status_code, answer.json()["reason"]) == (403, "other_origin")
    assert not serving.ledger.observed


async def test_the_pages_have_labels_and_no_script_is_needed(serving: Serving) -> None:
    serving.sign_in()
    listed = (await serving.client.get("/observe")).text
    assert "Planning of shifts" in listed
    assert listed.index("Backstage") < listed.index("Support") < listed.index("Frontstage")
    for touchpoint in CATALOGUE.touchpoints:
        assert f'href="/observe/{touchpoint}"' in listed
        answer = await serving.client.get(f"/observe/{touchpoint}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        page = answer.text
        assert "<script" not in page
        assert len(re.findall(r'<input type="radio" name="feeling" value="\d+"', page)) == 11
        fields = set(re.findall(r'<(?:input|textarea)[^>]* id="(\w+)"', page))
        assert fields == set(re.findall(r'<label for="(\w+)"', page))
        assert page.count("autofocus") == 1


async def test_a_number_and_a_feeling_are_two_observations_of_nobody(serving: Serving) -> None:
    serving.sign_in()
    before = now_ms()
    answer = await send(serving, "order_picking", value="6.5", feeling="3", note=" two ill, ring (415) 555-0163 ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/observe?taken=order_picking")
    number, feeling = observations(serving)
    assert before <= number["observed_at"] == number["received_at"] <= now_ms()
    same = {"schema": "observation", "source": "desk", "kind": "staff", "touchpoint": "order_picking"}
    assert number == number | same | {
        "observation_id": f"{ID}-open_orders_h",
        "measure": "open_orders_h",
        "value": 6.5,
        "note": "two ill, ring [phone]",
    }
    assert feeling == feeling | same | {"observation_id": f"{ID}-mood", "measure": "mood", "value": 3.0, "note": ""}
    assert (
        number.keys()
        == feeling.keys()
        == same.keys() | {*("observation_id", "observed_at", "received_at", "measure", "value", "note")}
    )
    assert serving.ledger.observed[0][0] == f"desk\0{ID}-open_orders_h".encode()
    assert not serving.ledger.audit, "nobody was looked at"
    taken = await serving.client.get(answer.headers["location"])
    assert "Taken: Picking in the warehouse. Thank you." in taken.text


async def test_a_feeling_alone_is_enough_and_zero_counts(serving: Serving) -> None:
    serving.sign_in()
    for touchpoint in ("staff_mood", "store_floor", "order_picking"):
        assert (await send(serving, touchpoint, feeling="0", value="")).status_code == 303
    assert [(each["measure"], each["value"]) for each in observations(serving)] == [("mood", 0.0)] * 3
    assert (await send(serving, "dispatch", value="0")).status_code == 303
    assert observations(serving)[-1]["value"] == 0.0


async def test_sending_the_form_twice_says_it_once(serving: Serving) -> None:
    serving.sign_in()
    for _ in range(2):
        await send(serving, "dispatch", value="3")
    one, two = serving.ledger.observed
    assert one[0] == two[0]
    page = (await serving.client.get("/observe/dispatch")).text
    other = (await serving.client.get("/observe/dispatch")).text
    ids = [re.search(r'name="id" value="([0-9a-f]{32})"', each) for each in (page, other)]
    assert ids[0] is not None
    assert ids[1] is not None
    assert ids[0][1] != ids[1][1]


@pytest.mark.parametrize(
    ("touchpoint", "fields", "says"),
    [
        ("order_picking", {}, "Fill in the number, or choose how it goes."),
        ("order_picking", {"note": "only that"}, "Fill in the number, or choose how it goes."),
        ("staff_mood", {}, "Choose how it goes."),
        ("staff_mood", {"value": "5"}, "Choose how it goes."),
        *(
            ("order_picking", {"value": bad}, "Open orders must be a number, such as 3 or 3.5.")
            for bad in ("many", "nan", "inf", "1,5", "1_0", "3 4", "9" * 40, "٣")
        ),
        *(("staff_mood", {"feeling": bad}, "Choose one of 0 to 10") for bad in ("11", "-1", "3.5", "great", "9" * 99)),
        ("order_picking", {"value": "1e30"}, "This cannot be taken: value: not a finite number"),
        (
            "order_picking",
            {"value": "1", "note": "x" * (TEXT_CHARS_MAX + 1)},
            "This cannot be taken: note: longer than",
        ),
    ],
)
async def test_what_cannot_be_taken_is_shown_again_with_what_to_do(
    serving: Serving, touchpoint: str, fields: dict[str, str], says: str
) -> None:
    serving.sign_in()
    answer = await send(serving, touchpoint, **fields)
    assert answer.status_code == 422
    assert f'role="alert" id="notice">{says}' in answer.text
    assert f'name="id" value="{ID}"' in answer.text
    assert fields.get("note", "") in answer.text
    assert not serving.ledger.observed


async def test_while_kafka_is_away_nothing_typed_is_lost(serving: Serving) -> None:
    serving.sign_in()
    serving.ledger.away = True
    answer = await send(serving, "shift_planning", value="2", feeling="4", note='<b>"loud" & late</b>')
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "could not be kept just now" in answer.text
    for kept in ('value="2"', 'value="4" checked', "&lt;b&gt;&#34;loud&#34; &amp; late&lt;/b&gt;", ID):
        assert kept in answer.text
    serving.ledger.away = False
    assert (await send(serving, "shift_planning", value="2")).status_code == 303


async def test_unknown_touchpoints_and_hostile_fields(serving: Serving) -> None:
    serving.sign_in()
    for answer in (await serving.client.get("/observe/nothing"), await send(serving, "nothing", value="1")):
        assert answer.status_code == 404
        assert "The catalogue has no such touchpoint." in answer.text
    assert "Taken" not in (await serving.client.get("/observe", params={"taken": "<script>"})).text
    for hostile in ("", "x", ID.upper(), f"{ID}0", f"{ID[:-1]}\n", "customer:4711"):
        await send(serving, "dispatch", value="1", id=hostile)
    ids = {record["observation_id"] for record in observations(serving)}
    assert len(ids) == 6
    assert all(re.fullmatch(r"[0-9a-f]{32}-handover_late_min", each) for each in ids)
    headers = {"Sec-Fetch-Site": "same-origin"}
    many = await serving.client.post("/observe/dispatch", data={f"f{n}": "1" for n in range(99)}, headers=headers)
    assert many.status_code == 400


async def test_the_desk_leads_there(serving: Serving) -> None:
    serving.sign_in()
    assert 'href="/observe"' in (await serving.client.get("/desk")).text
