"""Logs: one JSON object a line in `$THROUGHLINE_HOME/logs/<process>.log`, bounded in size.

A line says what happened (`event`, a fixed name) and its facts as fields. Facts are counts, names of things, positions
and durations: never a person's data, so never an identifier in clear, a payload or a header.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import time
from typing import Any

from pipeline.settings import BadSetting, Settings

FILE_BYTES_MAX = 10 * 1024 * 1024
FILES_KEPT = 3
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Log:
    """A named source of log lines."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"throughline.{name}")

    def debug(self, event: str, **facts: Any) -> None:
        """What only a developer looks for."""
        self._logger.debug(event, extra={"facts": facts})

    def info(self, event: str, **facts: Any) -> None:
        """What happened as it should: started, assigned, caught up."""
        self._logger.info(event, extra={"facts": facts})

    def warning(self, event: str, **facts: Any) -> None:
        """What somebody should look at some day: a retry, a rejected event, a slow answer."""
        self._logger.warning(event, extra={"facts": facts})

    def error(self, event: str, **facts: Any) -> None:
        """What somebody must look at."""
        self._logger.error(event, extra={"facts": facts})


class _JsonLines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "source": record.name.removeprefix("throughline."),
            "event": record.getMessage(),
        }
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def get(name: str) -> Log:
    """A source of log lines; silent until `configure` ran in this process."""
    return Log(name)


def configure(process: str, settings: Settings) -> None:
    """Send this process's log lines to its file: ours from the set level up (at least 'info'), libraries' warnings.

    Raises BadSetting for an unknown level.
    """
    level = _LEVELS.get(settings.log_level.lower())
    if level is None:
        raise BadSetting(f"THROUGHLINE_LOG_LEVEL must be one of {', '.join(_LEVELS)}, not {settings.log_level!r}")
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{process}.log", maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(_JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else level)
    logging.getLogger("throughline").setLevel(min(level, logging.INFO))
    logging.captureWarnings(True)
