"""Only Kafka and ClickHouse, with topics and tables: for tests, and for people who work on a stage.

    .venv/bin/python -m pipeline.local.bare

runs them at the ports of the settings (0: free ones) until Ctrl-C, and prints the variables that point a stage at them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from pipeline import keys
from pipeline.local import broker, home, ports, process
from pipeline.prepare import prepare
from pipeline.settings import BadSetting, Settings

START_S_MAX = 60.0


def with_ports(settings: Settings) -> Settings:
    """The settings with absolute paths and real ports for Kafka and ClickHouse. Raises BusyPort."""
    return replace(
        settings,
        home=settings.home.resolve(),
        cache=settings.cache.resolve(),
        schemas=settings.schemas.resolve(),
        kafka_port=ports.chosen(settings.host, settings.kafka_port, "THROUGHLINE_KAFKA_PORT"),
        clickhouse_port=ports.chosen(settings.host, settings.clickhouse_port, "THROUGHLINE_CLICKHOUSE_PORT"),
    )


@contextmanager
def bare(settings: Settings) -> Iterator[Settings]:
    """Run the two and yield the settings that reach them. Raises BusyPort, NoJars, DidNotStart."""
    settings = with_ports(settings)
    keys.load_or_create(settings)
    broker.prepare(settings, partial(print, file=sys.stderr, flush=True))
    children = [process.spawn(name, settings) for name in ("broker", "clickhouse")]
    try:
        for child, port in zip(children, (settings.kafka_port, settings.clickhouse_port), strict=True):
            process.wait_until(lambda port=port: ports.answers(settings.host, port), child, settings, START_S_MAX)  # type: ignore[misc]  # a default binds the loop's value
        prepare(settings)
        yield settings
    finally:
        process.end(reversed(children))


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        with bare(home.with_partitions(Settings.from_environment())) as settings:
            for name in ("HOME", "KAFKA_PORT", "CLICKHOUSE_PORT", "PARTITIONS"):
                print(f"export THROUGHLINE_{name}={getattr(settings, name.lower())}")
            print("# Kafka and ClickHouse are ready; Ctrl-C stops them.", flush=True)
            over.wait()
    except (BadSetting, home.BrokenHome, ports.BusyPort, process.DidNotStart) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
