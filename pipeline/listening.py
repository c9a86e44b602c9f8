"""How the HTTP stages listen: the options of uvicorn that they share."""

from __future__ import annotations

from typing import Any

from pipeline.settings import Settings

KEEP_ALIVE_S = 75  # longer than usual load balancers', so that they end connections and not we
SHUTDOWN_S = 10  # events that are on their way to the broker are waited for


def options(settings: Settings) -> dict[str, Any]:
    """uvicorn's options for these settings."""
    return {
        "host": settings.host,
        "port": settings.http_port,
        "loop": "uvloop",
        "http": "httptools",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": SHUTDOWN_S,
    }
