"""What `throughline import` reads and prepares; Kafka itself is in tests/integration."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.settings import Settings
from pipeline.sources.adapter import Imported, Line, NotThisFile, Refused, event
from pipeline.sources.main import FAILED, LINE_BYTES_MAX, Outgoing, lines, prepare, run
from pipeline.wire import Codec

NOW = 1_750_000_000_000


def purchase(number: int, **changes: object) -> Imported:
    made = event(
        event_id=f"e{number}",
        source="test",
        kind="order_placed",
        touchpoint="store_counter",
        occurred_at=NOW - number,
        identifiers={"customer": f"c{number}"},
    )
    return Imported(number, "in_store", made | changes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), home=tmp_path, kafka="127.0.0.1:1")


def test_lines_are_numbered_and_lose_their_endings() -> None:
    assert list(lines(io.BytesIO(b"a\r\nb\n\nc"))) == [Line(1, "a"), Line(2, "b"), Line(3, ""), Line(4, "c")]


@pytest.mark.parametrize("data", [b"x" * (LINE_BYTES_MAX + 1), b"\xff\xfe", b"a\0b"])
def test_what_is_no_text_is_refused_with_its_line(data: bytes) -> None:
    with pytest.raises(NotThisFile, match="line 2"):
        list(lines(io.BytesIO(b"first\n" + data)))


def test_a_row_is_ready_for_kafka_under_its_strongest_identifier(settings: Settings) -> None:
    [made] = prepare(settings, Codec(settings.schemas), [purchase(1)], NOW)
    assert isinstance(made, Outgoing)
    assert (made.topic, made.key) == ("interactions.in_store", "customer:c1")
    assert Codec(settings.schemas).decode(made.value) == ("interaction_in_store", purchase(1).event)


def test_what_stitch_would_reject_is_refused_with_its_line_and_the_rest_goes_on(settings: Settings) -> None:
    bad = purchase(2, identifiers={"customer": "undefined"})
    oversize = purchase(3, properties={f"p{n}": "x" * 8000 for n in range(5)})
    given = [purchase(1), bad, Refused(9, "as it came"), oversize, purchase(4)]
    first, second, third, fourth, last = prepare(settings, Codec(settings.schemas), given, NOW)
    assert isinstance(first, Outgoing)
    assert isinstance(second, Refused)
    assert second.line == 2
    assert "placeholder" in second.why
    assert third == Refused(9, "as it came")
    assert isinstance(fourth, Refused)
    assert isinstance(last, Outgoing)


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("cdnow", "id,name\n", "line 1"),
        ("bank-calls", "", "line 1"),
        ("fax", "", "is no kind of file"),
        ("cdnow", None, "cannot be read"),
        ("cdnow", " 00007 0003 19970105  2   29.33\n", "Is the stack up"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_message(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, content: str | None, said: str
) -> None:
    file = tmp_path / "given.txt"
    if content is not None:
        file.write_text(content)
    assert run(settings, kind, file) == FAILED
    assert said in capsys.readouterr().err
