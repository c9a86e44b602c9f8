"""The `throughline` command. Each command imports what it needs only when it is called."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import NoReturn

from pipeline.settings import BadSetting, Settings

# What `throughline run` knows: name → the module whose run(settings) it calls.
PROCESSES = {
    "broker": "pipeline.local.broker",
    "clickhouse": "pipeline.local.clickhouse_front",
    "stitch": "pipeline.stitch.main",
    "identify": "pipeline.identify.main",
    "store": "pipeline.store.main",
    "alert": "pipeline.alert.main",
    "http": "pipeline.http",
    "collect": "pipeline.collect.main",
    "serve": "pipeline.serve.main",
    "shop": "pipeline.local.shop",
}
SERVICES = frozenset({"broker", "clickhouse"})  # they run also while the keys are migrated
FAILED, WRONG_CALL = 1, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse and do. What a person can mend is one line on stderr and a status other than 0, never a traceback."""
    from pipeline.local import home

    given = sys.argv[1:] if arguments is None else arguments
    options = _parser(given).parse_args(given)
    try:
        settings = home.with_partitions(Settings.from_environment())
    except (BadSetting, home.BrokenHome) as error:
        _fail(error, WRONG_CALL)
    match options.command:
        case "up":
            _up(settings, options.shop)
        case "status":
            _status(settings, options.json)
        case "ledger":
            _ledger(settings, options.json, options.partitions, options.carry)
        case "sign-in":
            _sign_in(settings)
        case "prepare":
            _prepare(settings)
        case "bi":
            _bi(settings)
        case "bundle":
            _bundle(options.address, options.file)
        case "import":
            _import(settings, options.kind, options.file)
        case "check":
            _check(settings)
        case "rescore":
            _rescore(settings, options)
        case "digest":
            _digest(settings, options)
        case "report":
            _report(settings, options)
        case "analyse":
            _analyse(settings, options)
        case "keys":
            _keys(settings, options.what)
        case _:
            _run(options.name, options.parent, settings)


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="throughline", description="Every interaction on one timeline per person.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the whole stack on this machine until Ctrl-C")
    up.add_argument("--shop", action="store_true", help="with the demo shop and its customers")
    status = commands.add_parser("status", help="processes, lag of every stage, rows stored, rejected")
    status.add_argument("--json", action="store_true", help="as JSON")
    ledger = commands.add_parser("ledger", help="what became of all that was received; status 1 if it does not add up")
    ledger.add_argument("--json", action="store_true", help="as JSON")
    ledger.add_argument("--partitions", action="store_true", help="a line for each partition")
    ledger.add_argument(
        "--carry", action="store_true", help="take over what was stored before counting began, or before a rebuild"
    )
    commands.add_parser("sign-in", help="print another one-time link to the desk of the running stack")
    commands.add_parser("prepare", help="create the topics and tables that are missing (for any Kafka and ClickHouse)")
    load = commands.add_parser("import", help="import a file of interactions or outcomes; safe to repeat")
    load.add_argument("kind", help="bank-calls, web-sessions, cdnow or outcomes")
    load.add_argument("file", type=Path)
    commands.add_parser(
        "bi", help="serve the dashboards over the running stack until Ctrl-C (`make bi` installs Superset)"
    )
    bundle = commands.add_parser("bundle", help="write the dashboards as a bundle that any Superset imports")
    bundle.add_argument(
        "address", help="of ClickHouse, no password: clickhousedb://bi@host:8443/throughline?secure=true"
    )
    bundle.add_argument("file", type=Path, help="to write, such as throughline.zip")
    keys = commands.add_parser("keys", help="change the key of phone numbers and e-mail addresses")
    keys.add_argument("what", choices=("rotate", "migrate"), help="rotate: make a new key; migrate: rename all to it")
    commands.add_parser("check", help="whether the catalogue can be used, and knows what the running stack has stored")
    rescore = commands.add_parser("rescore", help="judge all of history by another version of the scores, and switch")
    rescore.add_argument("--version", type=int, required=True, help="of a file scores-<version>.yaml of the catalogue")
    rescore.add_argument("--dry-run", action="store_true", help="show what would change, and do not switch")
    rescore.add_argument("--yes", action="store_true", help="switch without asking")
    rescore.add_argument("--alone", action="store_true", help="then count no other version beside it any longer")
    digest = commands.add_parser("digest", help="the week in words: what got better and worse, and what people said")
    digest.add_argument("--week", default="", metavar="2026-W48", help="an ISO week; without it the last that is over")
    digest.add_argument("--html", type=Path, metavar="FILE", help="write it there as a page of its own")
    digest.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write it there as Markdown; without files it is printed"
    )
    analyse = commands.add_parser("analyse", help="what drives experience, and what it does to the business")
    if given[:1] == ["analyse"]:  # its modules take a second to import
        from pipeline.analyse.main import add_commands

        add_commands(analyse)
    report = commands.add_parser("report", help="what drives experience and what to do first, as a page for everybody")
    report.add_argument("--from", dest="since", type=_day, metavar="DATE", help="leave out analyses of before that day")
    report.add_argument("--to", dest="until", type=_day, metavar="DATE", help="leave out those from that day on")
    report.add_argument("--html", type=Path, metavar="FILE", required=True, help="write the page there")
    run = commands.add_parser("run", help="run one process in the foreground")
    run.add_argument("name", help=f"one of {', '.join(PROCESSES)} (stitch-0, stitch-1, … are workers of stitch)")
    run.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-27") from None


def _fail(error: object, status: int = FAILED) -> NoReturn:
    print(f"throughline: {error}", file=sys.stderr, flush=True)
    sys.exit(status)


def _refuse_while_migrating(settings: Settings) -> None:
    """Nobody else works while a migration of the keys is not finished."""
    from pipeline import keys

    try:
        name = keys.under_way(settings)
    except keys.BrokenKeys as error:
        _fail(error)
    if name:
        _fail(f"a migration to identifier key {name} was begun and not finished: run `throughline keys migrate` again")


def _up(settings: Settings, shop: bool) -> None:
    _refuse_while_migrating(settings)
    from pipeline.definitions import MissingDefinition
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.kafka import UnequalPartitions
    from pipeline.keys import BrokenKeys
    from pipeline.local.home import AlreadyRunning
    from pipeline.local.jars import NoJars
    from pipeline.local.ports import BusyPort
    from pipeline.local.process import DidNotStart
    from pipeline.local.up import up
    from pipeline.store.migrations import BadMigrations

    mendable = (
        *(
            AlreadyRunning,
            BadCatalogue,
            BadMigrations,
            BadSetting,
            BrokenKeys,
            BusyPort,
            DidNotStart,
            MissingDefinition,
        ),
        *(NoJars, UnequalPartitions),
    )
    try:
        up(settings, shop)
    except mendable as error:
        _fail(error)


def _bi(settings: Settings) -> None:
    from pipeline.keys import BrokenKeys
    from pipeline.local.bi.run import NoBi, run
    from pipeline.local.ports import BusyPort

    try:
        run(settings)
    except (NoBi, BrokenKeys, BusyPort) as error:
        _fail(error)


def _bundle(address: str, file: Path) -> None:
    from pipeline.local.bi import bundle

    try:
        bundle.write(file, address)
    except (bundle.BadAddress, OSError) as error:
        _fail(error)
    print(
        f"{file}: import it in Superset (Dashboards, Import), which asks for the password of the user in the address."
    )


def _status(settings: Settings, as_json: bool) -> None:
    from pipeline.local import status

    now = status.read(settings)
    if as_json:
        print(json.dumps(asdict(now), indent=2))
    else:
        status.show(now)
    sys.exit(FAILED if now.troubles else 0)


def _ledger(settings: Settings, as_json: bool, partitions: bool, carry: bool) -> None:
    from pipeline import reconciliation

    def say(line: str) -> None:
        print(line, flush=True)

    wrong = reconciliation.run(settings, say, as_json=as_json, partitions=partitions, carry=carry)
    sys.exit(FAILED if wrong else 0)


def _sign_in(settings: Settings) -> None:
    from pipeline.local import home

    if home.StackFile.read(settings.home) is None:
        _fail(f"no stack runs in {settings.home}; `throughline up` starts one")
    print(home.sign_in_link(home.attached(settings)))


def _prepare(settings: Settings) -> None:
    from pipeline.definitions import MissingDefinition
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.kafka import UnequalPartitions
    from pipeline.local.home import attached
    from pipeline.prepare import prepare
    from pipeline.store.migrations import BadMigrations

    try:
        prepare(attached(settings))
    except (UnequalPartitions, BadCatalogue, BadMigrations, BadSetting, MissingDefinition) as error:
        _fail(error)


def _keys(settings: Settings, what: str) -> None:
    from pipeline import keys
    from pipeline.kafka import UnequalPartitions
    from pipeline.local.jars import NoJars
    from pipeline.local.migrating import migrate_keys
    from pipeline.local.process import DidNotStart
    from pipeline.rotate.migration import StillWorking
    from pipeline.store.migrations import BadMigrations

    path = settings.home / "secrets.json"
    try:
        if what == "rotate":
            name = keys.add_identifier_key(settings)
            print(f"Key {name} is made and readable; identifiers still get the one before. It is in {path}.")
            print("Next: back that file up, stop the stack, and run `throughline keys migrate`.")
        else:
            name = migrate_keys(settings, lambda line: print(line, flush=True))
            print(f"Everything is under key {name} now. Identifiers under older keys still find their persons.")
            print(f"Every process needs this {path}; `throughline up` starts the local stack again.")
    except (keys.BrokenKeys, keys.NoRotation, StillWorking) as error:
        _fail(error)
    except (BadMigrations, BadSetting, DidNotStart, NoJars, UnequalPartitions) as error:
        _fail(error)


def _check(settings: Settings) -> None:
    from pipeline import check
    from pipeline.domain.catalogue import BadCatalogue

    try:
        sys.exit(FAILED if check.run(settings, lambda line: print(line, flush=True)) else 0)
    except BadCatalogue as error:
        print(error, file=sys.stderr, flush=True)
        _fail(f"the catalogue cannot be used: {len(str(error).splitlines())} problems")


def _rescore(settings: Settings, options: argparse.Namespace) -> None:
    _refuse_while_migrating(settings)
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.local.home import StackFile, attached
    from pipeline.rescore import main as rescoring

    if StackFile.read(settings.home) is None and not settings.kafka:
        _fail(f"no stack runs in {settings.home}; `throughline up` starts one")
    try:
        how = rescoring.How(options.version, options.dry_run, options.yes, options.alone)
        sys.exit(rescoring.run(attached(settings), how))
    except (BadCatalogue, rescoring.CannotRescore) as error:
        _fail(error)


def _digest(settings: Settings, options: argparse.Namespace) -> None:
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.domain.digest import BadWeek
    from pipeline.local.home import StackFile, attached
    from pipeline.serve import digest
    from pipeline.serve.reports import ReportsAway

    if StackFile.read(settings.home) is None and not settings.clickhouse_url:
        _fail(f"no stack runs in {settings.home}; `throughline up` starts one")
    where = digest.Where(options.week, options.html, options.markdown)
    try:
        print(digest.run(attached(settings), where), end="")
    except BadWeek as error:
        _fail(error, WRONG_CALL)
    except (BadCatalogue, OSError) as error:
        _fail(error)
    except ReportsAway as error:
        _fail(f"{error}: the digest is made of what ClickHouse has. Does it run in {settings.home}?")


def _analyse(settings: Settings, options: argparse.Namespace) -> None:
    from pipeline.analyse import main as analyse
    from pipeline.analyse.source import CannotAnalyse
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.local.home import StackFile, attached

    if StackFile.read(settings.home) is None and not settings.clickhouse_url:
        _fail(f"no stack runs in {settings.home}; `throughline up` starts one")
    try:
        sys.exit(analyse.run(attached(settings), options))
    except (BadCatalogue, CannotAnalyse, OSError) as error:
        _fail(error)


def _report(settings: Settings, options: argparse.Namespace) -> None:
    from pipeline.analyse import report
    from pipeline.analyse.source import CannotAnalyse
    from pipeline.domain.catalogue import BadCatalogue
    from pipeline.local.home import StackFile, attached

    if StackFile.read(settings.home) is None and not settings.clickhouse_url:
        _fail(f"no stack runs in {settings.home}; `throughline up` starts one")
    try:
        print(report.run(attached(settings), report.Asked(options.html, options.since, options.until)))
    except (BadCatalogue, CannotAnalyse, OSError) as error:
        _fail(error)


def _import(settings: Settings, kind: str, file: Path) -> None:
    _refuse_while_migrating(settings)
    from pipeline.local.home import attached
    from pipeline.sources import main as sources

    if kind not in sources.ADAPTERS:
        _fail(f"there is no kind {kind!r}; there are {', '.join(sources.ADAPTERS)}", WRONG_CALL)
    sys.exit(sources.run(attached(settings), kind, file))


def _run(name: str, parent: int, settings: Settings) -> None:
    from pipeline import logs
    from pipeline.local import process

    kind = name.split("-")[0]
    if kind not in PROCESSES:
        _fail(f"there is no process {name!r}; there are {', '.join(PROCESSES)}", WRONG_CALL)
    if kind not in SERVICES:
        _refuse_while_migrating(settings)
    if parent:
        # Stages are made to be killed at any moment; what stores for them ends in order.
        process.die_with(parent, signal.SIGTERM if kind in ("broker", "clickhouse") else signal.SIGKILL)
        process.give_way(kind)
    logs.configure(name, settings)
    importlib.import_module(PROCESSES[kind]).run(settings)


if __name__ == "__main__":
    main()
