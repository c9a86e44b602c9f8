"""The stages of the local stack as data: what is started, with which settings, and when it is ready."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.local import ports
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """One process to keep running."""

    name: str  # as `throughline run` knows it
    settings: Settings
    ports: tuple[int, ...]
    ready: Callable[[], bool]


def services(settings: Settings) -> list[Stage]:
    """What everything else needs: the broker and ClickHouse."""
    return [
        Stage(
            "broker",
            settings,
            (settings.kafka_port,),
            lambda: ports.answers(settings.host, settings.kafka_port),
        ),
        Stage(
            "clickhouse",
            settings,
            (settings.clickhouse_port,),
            lambda: _ok(settings.host, settings.clickhouse_port, "/ping"),
        ),
    ]


def stages(settings: Settings, shop: bool) -> list[Stage]:
    """The product itself: the stitch workers, identify, store, alert, http; and the demo shop when asked for."""
    result = []
    for number in range(settings.workers):
        port = ports.free_port(settings.host)
        own = replace(settings, worker=number, worker_port=port)
        result.append(Stage(f"stitch-{number}", own, (port,), _marked(settings, f"stitch-{number}")))
    port = ports.free_port(settings.host)
    own = replace(settings, identify_port=port)
    result.append(Stage("identify", own, (port,), _marked(settings, "identify")))
    result.append(Stage("store", settings, (), _marked(settings, "store")))
    port = ports.free_port(settings.host)
    result.append(Stage("alert", replace(settings, alert_port=port), (port,), _marked(settings, "alert")))
    result.append(
        Stage(
            "http",
            settings,
            (settings.http_port,),
            lambda: _ok(settings.host, settings.http_port, "/v1/health"),
        )
    )
    if shop:
        result.append(Stage("shop", settings, (), lambda: True))
    return result


def _marked(settings: Settings, name: str) -> Callable[[], bool]:
    """Whether the stage has said that it works, by its file under `run/ready`."""
    marker = settings.home / "run" / "ready" / name
    return marker.exists


def _ok(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
