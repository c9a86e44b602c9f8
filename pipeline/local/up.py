"""`throughline up`: the whole stack in the foreground until Ctrl-C, and what it tells the person in front of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from pipeline import keys, logs
from pipeline.local import broker, home, ports
from pipeline.local.bare import with_ports
from pipeline.local.stages import Stage, stages
from pipeline.local.supervisor import Stopped, Supervisor
from pipeline.settings import BadSetting, Settings


def say(line: str) -> None:
    """One line for people, at once. Nobody may be reading any more (a closed pipe): the stack lives on."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def up(settings: Settings, shop: bool = False, chosen: Sequence[Stage] | None = None) -> None:
    """Run the stack until Ctrl-C or SIGTERM; `chosen` replaces the product's own stages.

    Raises BadSetting, AlreadyRunning, BusyPort, NoJars, DidNotStart, BrokenKeys and what prepare raises; nothing is
    left running.
    """
    if settings.kafka or settings.clickhouse_url:
        raise BadSetting(
            "THROUGHLINE_KAFKA and THROUGHLINE_CLICKHOUSE_URL are for production, where each stage is run by itself "
            "(`throughline run …`); the stack on one machine brings its own: unset them."
        )
    began = time.monotonic()
    stop = _stopped_by_signals()
    settings = replace(settings, home=settings.home.resolve())
    lock = home.Lock(settings.home)
    try:
        logs.configure("supervisor", settings)
        if lock.stale:
            _go_on_after(lock.stale, settings)
        home.clear_run_files(settings.home)
        home.clear_old_state(settings.home, settings.workers)
        settings = with_ports(settings)
        port = ports.chosen(settings.host, settings.http_port, "THROUGHLINE_HTTP_PORT")
        settings = replace(settings, http_port=port)
        keys.load_or_create(settings)
        broker.prepare(settings, say)
        supervisor = Supervisor(settings, say, stop)
        try:
            say(f"Starting Throughline in {settings.home} …")
            supervisor.start_services()
            wanted = stages(settings, shop) if chosen is None else chosen
            names = ", ".join(stage.name for stage in wanted)
            say(f"Kafka and ClickHouse answer ({time.monotonic() - began:.1f} s); starting {names} …")
            supervisor.start_stages(wanted)
            welcome(settings, time.monotonic() - began)
            supervisor.watch()
        except Stopped:
            pass
        finally:
            say("Stopping …")
            supervisor.end()
        say("Stopped. The data stays; the next start goes on from it.")
    finally:
        shutil.rmtree(settings.home / "run" / "sign-in", ignore_errors=True)
        lock.release()


def welcome(settings: Settings, took_s: float) -> None:
    """Say where everything is."""
    base = f"http://{settings.host}:{settings.http_port}"
    say(f"Throughline is ready ({took_s:.1f} s).")
    say(f"  Agent desk   {home.sign_in_link(settings)}  (signs in once; `throughline sign-in` gives another)")
    say(f"  API          {base}/docs  (keys in {settings.home / 'keys.json'})")
    say(f"  Kafka        {settings.bootstrap}")
    say(f"  ClickHouse   {settings.clickhouse}  (user and password in {settings.home / 'keys.json'})")
    say("  Ctrl-C stops it.")


def _go_on_after(process: str, settings: Settings) -> None:
    left = home.end_leftovers(settings.home)
    ended = f", and {left} of its processes had to be waited for" if left else ""
    say(f"The last stack here (process {process}) did not end in order{ended}; going on from its data.")


def _stopped_by_signals() -> threading.Event:
    """An event that Ctrl-C, SIGTERM and a closed terminal set; a second Ctrl-C ends at once (children follow)."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            sys.stderr.write("Ended at once; the next start cleans up.\n")
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    return stop
