"""Whatever people order meanwhile, and whoever is erased: all there is, is what the oracle says, after every step.

`make fuzz` runs the same for as long as you like.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline.domain.messages import Evidence, is_erased
from pipeline.domain.orders import Order
from pipeline.domain.rules import Rules
from pipeline.identify.records import Record, decode_record
from tests.examples import examples
from tests.identity_machine import Resting
from tests.identity_streaming import Streaming
from tests.network import IDENTIFY, Network, Spoil
from tests.oracle_rows import SCORING
from tests.strategies import DAY_MS, START, Copy, copies_of

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


class TestResting(Resting.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(quick, max_examples=examples(120), stateful_step_count=20, derandomize=True)


class TestStreaming(Streaming.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(quick, max_examples=examples(120), stateful_step_count=20, derandomize=True)


def test_a_forged_claim_of_a_phone_gets_nothing() -> None:
    """The victim called; somebody with the key of a web page says that the phone is theirs, and was so before."""
    call = _event("desk", {"customer": "c0", "phone": "+1 202 555 0140"}, START + 5, session_id="call")
    later = _event("desk", {"phone": "+1 202 555 0140"}, START + 6)
    forged = _event("web", {"customer": "c1", "phone": "+1 202 555 0140"}, START - DAY_MS, public=True)
    network = Network([call, later, forged], Rules(SCORING), random.Random(1))
    network.run()
    assert [x.source for x in network.view("customer:c0")] == ["desk", "desk"]
    assert [x.source for x in network.view("customer:c1")] == ["web"]

    honest = Network([call, later, forged._replace(event=forged.event | {"public": False})], Rules(), random.Random(1))
    honest.run()
    assert len(honest.view("customer:c1")) == 1
    assert len(honest.view("customer:c0")) == 1  # from a source that may say so, the phone would be shared


def test_a_forged_crowd_takes_nobodys_phone_away() -> None:
    """Somebody says with the key of a web page that a thousand cookies are the victim's: no call is lost by that."""
    phone = {"phone": "+1 202 555 0140"}
    call = _event("desk", {"customer": "c0", **phone}, START + 5, session_id="call")
    crowd = [_event("web", {"customer": "c0", "anonymous": f"x{n}"}, START - n, public=True) for n in range(1_005)]
    later = _event("desk", phone, START + 6)
    network = Network([call, *crowd, later], Rules(SCORING), random.Random(1))
    network.run()
    assert {x.event_id for x in network.view("customer:c0")} >= {call.event["event_id"], later.event["event_id"]}
    assert network.alone == {"customer:c0"}


def _event(source: str, identifiers: dict[str, str], at: int, **fields: object) -> Copy:
    copy = copies_of(0, len(identifiers), 1)[0]
    event = {"source": source, "identifiers": identifiers, "occurred_at": at, "event_id": f"{source}{at}"}
    return copy._replace(event=copy.event | event | fields, astray=None)


# Wrong on purpose: each of these must be noticed, or the comparison above is worth nothing.


def _is_noticed(machine: type[Resting], most: int = 400) -> bool:
    """The search ends with the first world where something is wrong: only one without any looks at all examples."""
    few = settings(
        quick, max_examples=most, stateful_step_count=20, phases=[Phase.generate], derandomize=True, database=None
    )
    try:
        run_state_machine_as_test(machine, settings=settings(few, report_multiple_bugs=False))
    except AssertionError:
        return True
    return False


def _without_sessions(said: Evidence | Order) -> Evidence | Order:
    return msgspec.structs.replace(said, session_id="") if isinstance(said, Evidence) else said


def _without_times(said: Evidence | Order) -> Evidence | Order:
    return msgspec.structs.replace(said, occurred_at=0) if isinstance(said, Evidence) else said


@pytest.mark.parametrize("spoil", [_without_sessions, _without_times])
def test_spoiled_evidence_is_noticed(spoil: Spoil) -> None:
    assert _is_noticed(type("Spoiled", (Resting,), {"spoil": staticmethod(spoil)}))


def _a_part(record: Record) -> Record:
    return msgspec.structs.replace(record, parted={})


def _a_join(record: Record) -> Record:
    return msgspec.structs.replace(record, joined="", joined_by="")


def _a_nameless_owner(record: Record) -> Record:
    above = {strong: edge for strong, edge in record.above.items() if not is_erased(strong)}
    return msgspec.structs.replace(record, above=above)


@pytest.mark.parametrize("without", [_a_part, _a_join, _a_nameless_owner])
def test_what_identify_forgets_is_noticed(without: Callable[[Record], Record]) -> None:
    class Forgetful(Resting):
        def rest(self) -> None:
            super().rest()
            state = self.network.states[IDENTIFY]
            for key in [key for key in state if key.startswith(b"i")]:
                state[key] = msgspec.msgpack.encode(without(decode_record(state[key])))
            self.network.restart(IDENTIFY)

    assert _is_noticed(Forgetful)


def test_what_only_restarts_is_not_wrong() -> None:
    class Restarting(Resting):
        def rest(self) -> None:
            super().rest()
            self.network.restart(IDENTIFY)

    assert not _is_noticed(Restarting, most=examples(60))


@pytest.mark.parametrize("node", [0, IDENTIFY])
def test_a_forgotten_erasure_is_noticed(node: int) -> None:
    class Forgetful(Resting):
        def rest(self) -> None:
            super().rest()
            state = self.network.states[node]
            for key in [key for key in state if key.startswith(b"z")]:
                del state[key]
            self.network.restart(node)

    assert _is_noticed(Forgetful)
