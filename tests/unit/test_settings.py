"""What can be set from outside."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.settings import BOUNDS, BadSetting, Settings


def test_nothing_set_is_the_default() -> None:
    assert Settings.from_environment({"PATH": "/bin", "THROUGHLINE_HOME": " "}) == Settings(partitions=0)


def test_each_kind_is_read() -> None:
    given = {"THROUGHLINE_KAFKA_PORT": "1234", "THROUGHLINE_HOME": "~/x", "THROUGHLINE_KAFKA": " k1:9092,k2:9092 "}
    settings = Settings.from_environment(given)
    assert (settings.kafka_port, settings.home) == (1234, Path.home() / "x")
    assert settings.bootstrap == "k1:9092,k2:9092"


def test_local_addresses_follow_from_the_ports() -> None:
    settings = Settings(kafka_port=1, clickhouse_port=2)
    assert (settings.bootstrap, settings.clickhouse) == ("127.0.0.1:1", "http://127.0.0.1:2")


@pytest.mark.parametrize("text", ["nine", "-1", "1.5", "²", "٣", "1e3", "9" * 20])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(BadSetting, match="THROUGHLINE_PARTITIONS must be a whole number"):
        Settings.from_environment({"THROUGHLINE_PARTITIONS": text})


@pytest.mark.parametrize(("name", "text"), [("HTTP_PORT", "65536"), ("PARTITIONS", "0"), ("WORKERS", "65")])
def test_a_number_out_of_bounds_is_named(name: str, text: str) -> None:
    with pytest.raises(BadSetting, match=rf"THROUGHLINE_{name} must be \d+ to \d+, not {text}"):
        Settings.from_environment({f"THROUGHLINE_{name}": text})


def test_bounds_are_of_settings_that_exist() -> None:
    assert set(BOUNDS) <= {each.name for each in fields(Settings)}


def test_a_child_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_WORKERS", "7")
    settings = Settings(home=Path("/somewhere"), kafka_port=1234, workers=3, phone_region="CH")
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize(
    "text",
    [
        "example.com/alerts",
        "ftp://example.com",
        "https://",
        "https://u:p@example.com",
        "http://a b",
        "http://x:y",
        "http://[1",
    ],
)
def test_a_webhook_that_cannot_be_reached_is_said_at_once(text: str) -> None:
    with pytest.raises(BadSetting, match="THROUGHLINE_WEBHOOK_URL must be an address"):
        Settings.from_environment({"THROUGHLINE_WEBHOOK_URL": text})
    fine = {"THROUGHLINE_WEBHOOK_URL": "https://example.com:8443/alerts?x=1"}
    assert Settings.from_environment(fine).webhook_url == fine["THROUGHLINE_WEBHOOK_URL"]


@pytest.mark.parametrize(
    ("name", "value"), [("THROUGHLINE_TIME_ZONE", "No/Such"), ("THROUGHLINE_PHONE_REGION", "Germany")]
)
def test_what_nobody_knows_is_said_at_once(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} must be .*{value}"):
        Settings.from_environment({name: value})
    assert Settings.from_environment({"THROUGHLINE_TIME_ZONE": "Europe/Berlin"}).time_zone == "Europe/Berlin"


def test_origins_that_may_frame_the_card() -> None:
    good = "https://crm.example.com http://localhost:3000"
    assert Settings.from_environment({"THROUGHLINE_FRAME_ANCESTORS": good}).frame_ancestors == good
    for bad in (
        "*",
        "'self'",
        "https://a.example/path",
        "https://a.example;script-src",
        "crm.example.com",
        "https://*",
    ):
        with pytest.raises(BadSetting, match="THROUGHLINE_FRAME_ANCESTORS must be origins"):
            Settings.from_environment({"THROUGHLINE_FRAME_ANCESTORS": f"{good} {bad}"})
