"""All that can be set from outside. The only module that reads the environment.

Every variable is `THROUGHLINE_` and the field's name in capitals.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

REPO = Path(__file__).resolve().parent.parent


PORT = (0, 65_535)
# Field → the smallest and largest number that makes sense; others are at least 0.
BOUNDS = {
    **dict.fromkeys(
        ("http_port", "kafka_port", "clickhouse_port", "worker_port", "identify_port", "alert_port", "bi_port"), PORT
    ),
    "partitions": (1, 1_000),
    "replicas": (1, 9),
    "workers": (1, 64),
    "layout_epoch": (1, 32_767),  # with the offset's 48 bits it has to fit a signed 64-bit number
    "view_size": (1, 10_000),
    "now_minutes": (1, 1_440),
    "alerts_every_s": (1, 3_600),
    "webhook_hours": (1, 168),
}


class BadSetting(ValueError):
    """A setting that cannot be used; says which, and what is expected."""


def _number(field_name: str, variable: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise BadSetting(f"{variable} must be a whole number, not {text!r}")
    least, most = BOUNDS.get(field_name, (0, 999_999_999))
    if not least <= int(text) <= most:
        raise BadSetting(f"{variable} must be {least} to {most}, not {text}")
    return int(text)


def _is_address(text: str) -> bool:
    """Whether requests can be sent there."""
    try:
        url = urlsplit(text)
        port_fits = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text
    return plain and url.scheme in ("http", "https") and bool(url.hostname) and port_fits and url.username is None


def _is_origin(text: str) -> bool:
    """Whether pages come from there; no path, and nothing else that a header could be broken with."""
    return _is_address(text) and re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", text) is not None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how large they may get. Ports 0 are chosen free."""

    http_port: int = 8080
    kafka_port: int = 9092
    clickhouse_port: int = 8123
    home: Path = field(default_factory=lambda: Path(".throughline"))
    host: str = "127.0.0.1"
    kafka: str = ""  # bootstrap servers; empty: the local broker
    clickhouse_url: str = ""  # empty: the local front
    clickhouse_database: str = "throughline"
    schema_registry: str = ""  # address of its Confluent API; empty: none, schemas are found by their fingerprints
    partitions: int = 8  # of every topic that stitch reads; fixed when the topics are created. Not in the environment:
    #   0, and `local.home.with_partitions` says how many
    replicas: int = 1  # of the topics created; 3 on a cluster
    workers: int = 1  # stitch workers of the local stack
    worker: int = 0  # which of them this process is
    worker_port: int = 0  # where this worker answers queries
    identify_port: int = 0  # where identify does
    alert_port: int = 0  # where alert does
    bi_port: int = 8088  # where `throughline bi` serves the dashboards
    alerts_every_s: int = 5  # between two looks for causes of alerts
    webhook_url: str = ""  # where changes of alerts are sent to; empty: nowhere. The key `webhook` signs them
    webhook_hours: int = 24  # for so long one change is tried to be delivered, then the next ones are
    layout_epoch: int = 1  # upper bits of every row's version; raised by a migration to other partitions
    phone_region: str = "US"  # for phone numbers without a country prefix
    frame_ancestors: str = (
        ""  # origins whose pages may show the desk's card in a frame, such as https://crm.example.com
    )
    view_size: int = 200  # interactions in a profile's view
    now_minutes: int = 30  # how far back `now` looks
    time_zone: str = ""  # for days and hours in reports; empty: the catalogue's
    schemas: Path = REPO / "schemas"
    catalogue: str = ""  # folder of touchpoints, journeys, scores, …; empty: the one in `schemas`
    cache: Path = field(default_factory=lambda: Path.home() / ".cache" / "throughline")  # downloads, for all homes
    log_level: str = "warning"

    @property
    def catalogue_folder(self) -> Path:
        """Where the catalogue is."""
        return Path(self.catalogue).expanduser() if self.catalogue else self.schemas / "catalogue"

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return self.kafka or f"{self.host}:{self.kafka_port}"

    @property
    def clickhouse(self) -> str:
        """Where ClickHouse answers HTTP."""
        return self.clickhouse_url or f"http://{self.host}:{self.clickhouse_port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings. Raises BadSetting with the variable's name."""
        source = os.environ if environment is None else environment
        given: dict[str, int | str | Path] = {"partitions": 0}
        for each in fields(cls):
            name = f"THROUGHLINE_{each.name.upper()}"
            text = source.get(name, "").strip()
            if not text:
                continue
            if each.type == "int":
                given[each.name] = _number(each.name, name, text)
            elif each.type == "Path":
                given[each.name] = Path(text).expanduser()
            else:
                given[each.name] = text
        zone = given.get("time_zone")
        if zone is not None and zone not in available_timezones():
            raise BadSetting(f"THROUGHLINE_TIME_ZONE must be a zone such as Europe/Berlin, not {zone!r}")
        webhook = str(given.get("webhook_url", ""))
        if webhook and not _is_address(webhook):
            raise BadSetting(
                "THROUGHLINE_WEBHOOK_URL must be an address such as https://example.com/alerts, without user and "
                "password: the signature says who sends"
            )
        for origin in str(given.get("frame_ancestors", "")).split():
            if not _is_origin(origin):
                raise BadSetting(
                    "THROUGHLINE_FRAME_ANCESTORS must be origins with blanks between them, such as "
                    f"https://crm.example.com, not {origin!r}"
                )
        phone_region = given.get("phone_region")
        if phone_region is not None and not re.fullmatch("[A-Z]{2}", str(phone_region)):
            raise BadSetting(f"THROUGHLINE_PHONE_REGION must be two capitals such as US, not {phone_region!r}")
        return cls(**given)  # type: ignore[arg-type]  # each value was made for its field's type above

    def environment(self) -> dict[str, str]:
        """This process's environment with these settings in it: what a child process is given."""
        own = {f"THROUGHLINE_{each.name.upper()}": str(getattr(self, each.name)) for each in fields(self)}
        return {**os.environ, **own}
