"""`throughline analyse`: which analyses there are, and what happens with what they find."""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console

from pipeline.analyse import keeping, shown, source
from pipeline.analyse.result import Result
from pipeline.settings import Settings

DONE, REFUSED = 0, 1
SEED = 1
WIDTH_MIN = 120
SEED_MAX = 2**32 - 1  # fits every column and generator

#: Command → its module.
COMMANDS = {
    "drivers": "pipeline.analyse.drivers",
    "link": "pipeline.analyse.link",
    "changes": "pipeline.analyse.changes",
    "segments": "pipeline.analyse.segments",
    "paths": "pipeline.analyse.paths",
}


class Analysis(Protocol):
    """What such a module has. Where there is a picture of the result it also has `svg(result) -> str`."""

    SUMMARY: str  # for --help
    COLUMNS: Sequence[shown.Column]  # of the table on the terminal

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Those beyond `--from`, `--to`, `--seed`, `--json` and `--svg`."""

    def run(self, settings: Settings, options: argparse.Namespace) -> Result:
        """Read, compute, and say what was found. Raises CannotAnalyse and BadCatalogue."""


def analysis(name: str) -> Analysis:
    """The module of a command."""
    return cast(Analysis, importlib.import_module(COMMANDS[name]))


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `throughline analyse` its sub-commands."""
    commands = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS")
    for name in COMMANDS:
        module = analysis(name)
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        command.add_argument(
            *("--from",), dest="since", type=_day, metavar="DATE", help=f"the first day; without it {source.DAYS} days"
        )
        command.add_argument(
            *("--to",), dest="until", type=_day, metavar="DATE", help="the first day after it; without it today"
        )
        command.add_argument("--seed", type=_seed, default=SEED, help=f"of everything that is drawn at random ({SEED})")
        command.add_argument("--json", action="store_true", help="as JSON")
        if hasattr(module, "svg"):
            command.add_argument("--svg", type=Path, metavar="FILE", help="draw it into this file")
        module.add_arguments(command)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Analyse, keep and show; the status to exit with. Raises CannotAnalyse, BadCatalogue, and OSError for a file."""
    module = analysis(options.analysis)
    result = module.run(settings, options)
    with source.connected(settings) as client:
        keeping.keep(client, result, time.time_ns() // 1_000_000)
    if getattr(options, "svg", None) and not result.refused:
        options.svg.write_text(module.svg(result), encoding="utf-8")  # type: ignore[attr-defined]  # it has --svg
    if options.json:
        print(shown.as_json(result))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = max(console.width, WIDTH_MIN)  # a file has room for the table
        shown.show(console, result, module.COLUMNS)
    return REFUSED if result.refused else DONE


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-27") from None


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 to {SEED_MAX}")
    return int(text)
