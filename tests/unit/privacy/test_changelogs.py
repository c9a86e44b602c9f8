"""What the changelogs of stitch and identify still hold of somebody who was erased."""

from __future__ import annotations

import msgspec

from pipeline.domain import records
from pipeline.domain.messages import Evidence, encode
from pipeline.domain.orders import Join
from pipeline.identify.records import Edge, Record, Tally
from pipeline.privacy.known import Known, Recalled
from pipeline.privacy.remains import Profiles
from tests.interactions import HOUR, MINUTE, NOON
from tests.serving import KEYRING
from tests.unit.privacy.world import Watched, nothing

AT = NOON + 10 * HOUR  # of the erasure
ANNA, BEN, COOKIE, TABLET = "customer:anna", "customer:ben", "anonymous:c1", "device:tablet"


def lived(world: Watched) -> None:
    """Anna searched before she logged in, complained, and shares a tablet with Ben."""
    world.say(COOKIE, at=NOON, type="searched", properties={"query": "blue shoes"})
    world.say(ANNA, at=NOON + MINUTE, links=(COOKIE,), session_id="s1", type="complaint_opened")
    world.say(ANNA, at=NOON + 2 * MINUTE, links=(TABLET,), session_id="s2", answer=("goal", 5.0, 1.0, 5.0))
    world.say(TABLET, at=NOON + 3 * MINUTE, session_id="s2")
    world.say(BEN, at=NOON + HOUR, links=(TABLET,), session_id="s3")
    world.say(TABLET, at=NOON + HOUR + MINUTE, session_id="s3")


def test_before_an_erasure_takes_effect_everything_is_found() -> None:
    world = Watched()
    lived(world)
    world.read()
    profiles, decisions = list(world.profiles.records), list(world.decisions.records)
    scope = world.erase(ANNA, AT)
    assert scope.whole == {ANNA, COOKIE}
    assert [each.identifier for each in scope.shared] == [TABLET]

    state, known = Profiles(scope), Known(scope)
    for key, value in profiles:
        state.see(0, key, value, 0)
    for key, value in decisions:
        known.see(0, key, value, 0)
    found = state.remaining()
    assert {"interaction", "copy", "sender", "alias", "session", "scores", "assignment"} <= set(found)
    assert {"edge", "session", "assignment"} <= set(known.remaining())


def test_afterwards_nothing_is_found() -> None:
    world = Watched()
    lived(world)
    assert nothing(world.remaining(world.erase(ANNA, AT)))


def test_of_the_other_owner_of_a_device_nothing_is_taken_for_the_erased_persons() -> None:
    world = Watched()
    lived(world)
    scope = world.erase(ANNA, AT)
    stored = records.prefix(TABLET) + records.KEPT
    assert [records.decode_kept(value).interaction.session_id for _, value in world.state.scan(stored)] == ["s3"]
    assert nothing(world.remaining(scope))


def test_what_the_person_does_afterwards_is_not_taken_for_a_remainder() -> None:
    world = Watched()
    lived(world)
    scope = world.erase(ANNA, AT)
    later = {"received": AT + HOUR - NOON, "session_id": "s9"}
    world.say(ANNA, at=AT + MINUTE, links=(COOKIE,), type="complaint_opened", **later)
    world.say(COOKIE, at=AT + 2 * MINUTE, **later)
    assert any(key.startswith(b"p" + ANNA.encode()) for key in world.state.data)
    assert nothing(world.remaining(scope))


def test_a_record_that_the_erasure_forgot_is_found_until_it_is_gone() -> None:
    world = Watched()
    lived(world)
    world.read()
    old = dict(world.profiles.records)
    scope = world.erase(ANNA, AT)
    judge = Profiles(scope)
    key, value = next((k, v) for k, v in old.items() if k.startswith(b"p" + ANNA.encode() + b"\0i"))
    judge.see(0, key, value, 0)
    assert judge.remaining() == {"interaction": 1}
    assert judge.places() == [(0, key)]
    judge.see(0, key, None, 0)
    assert judge.remaining() == {}


def test_a_profile_that_is_only_named_is_found() -> None:
    world = Watched()
    lived(world)
    world.read()
    old = dict(world.profiles.records)
    scope = world.erase(ANNA, AT)
    judge = Profiles(scope)
    head = b"p" + ANNA.encode() + b"\0h"
    judge.see(0, head, old[head], 0)
    assert judge.remaining() == {"name": 1}


def test_what_cannot_be_decoded_is_counted_apart() -> None:
    world = Watched()
    lived(world)
    judge = Profiles(world.erase(ANNA, AT))
    judge.see(0, b"pcustomer:x\0i0123456789abcdef", b"\xc1", 0)
    judge.see(0, b"Qwhat", b"1", 0)
    assert (judge.looked, judge.unread, judge.remaining()) == (2, 2, {})


def test_an_order_about_the_person_is_forgotten_with_the_erasure() -> None:
    world = Watched()
    lived(world)
    world.say("loyalty:7", at=NOON)
    world.decide(Join("j1", "loyalty:7", ANNA, "same", "test", NOON + 5 * HOUR))
    scope = world.erase(ANNA, AT)
    assert "loyalty:7" in scope.whole
    assert nothing(world.remaining(scope))


def test_an_order_that_is_kept_for_a_rebuild_names_nobody_who_was_erased() -> None:
    world = Watched()
    lived(world)
    judge = Recalled(world.erase(ANNA, AT))
    said = {"from_id": "loyalty:7", "into_id": ANNA}
    judge.see(0, b"j1", msgspec.json.encode({"kind": "join", "order_id": "j1", "number": 0, "said": said}), 0)
    erased = {"kind": "erase", "order_id": "x", "number": 1, "before": AT, "seals": [KEYRING.seal(ANNA).hex()]}
    judge.see(0, b"x", msgspec.json.encode(erased), 0)
    assert judge.remaining() == {"order": 1}
    judge.see(0, b"j1", None, 0)
    assert (judge.remaining(), judge.unread) == ({}, 0)


def test_what_public_keys_said_and_what_is_not_finished_is_found_too() -> None:
    scope = Watched().erase(ANNA, AT)
    edge, later = Edge(AT - 1), Edge(AT + 1)
    public = Record(layout=1, public=Tally({ANNA: edge}, links=1))
    said = Evidence(ANNA, COOKIE, AT - 1, "", "shop", "e")
    for key, value, kind in (
        (f"i{COOKIE}", public, "edge"),
        (f"u{COOKIE}\0{ANNA}", edge, "edge"),
        (f"b{COOKIE}\0{ANNA}", edge, "edge"),
        (f"t{COOKIE}\0s1", {ANNA: edge}, "session"),
        (f"p{ANNA}\0{COOKIE}", 1, "edge"),
        (f"w{ANNA}", 1, "waiting"),
        (f"j{ANNA}\0o1", 1, "waiting"),
        ("r1", said, "waiting"),
    ):
        known = Known(scope)
        known.see(0, key.encode(), encode(value) if value is said else records.encode(value), 0)
        assert known.remaining() == {kind: 1}, key
    known = Known(scope)
    known.see(0, f"b{COOKIE}\0{ANNA}".encode(), records.encode(later), 0)
    known.see(0, f"p{ANNA}\0{COOKIE}".encode(), b"1", 0)
    known.see(0, f"w{COOKIE}".encode(), b"1", 0)
    assert known.remaining() == {}
