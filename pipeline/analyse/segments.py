"""`throughline analyse segments`: whose experience differs from the others', and by how much (see `comparing`).

A person's experience is the mean of what their interactions in the period say. People are told apart by whether they
are known by name, by the channels they used (all of them: phone + web), and by details or properties of their
interactions: the catalogue's `segments`, or any others (`--by`) but what people wrote and who works here. Whoever used
two stores is in both segments; they are compared with those who did not use that store, of those who used any.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.analyse import NOT_OUTRANKED, PEOPLE_MIN, comparing, shown, source
from pipeline.analyse.comparing import Compared, Group, Sums
from pipeline.analyse.few import kept
from pipeline.analyse.result import OF, Result, Row
from pipeline.analyse.source import CannotAnalyse, Period
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.intervals import Interval
from pipeline.domain.scoring import DIMENSIONS
from pipeline.settings import Settings

SUMMARY = "whose experience differs from the others', by any trait or channel mix"
VERSION = 2
OVERALL = "overall"
KNOWN, CHANNELS = "known", "channels"
NAMES = {KNOWN: "Known by name", CHANNELS: "Channels"}
#: What an interaction has and people do not, → what does it instead.
FIELDS = {
    "channel": f"people are told apart by the channels they come by together: --by {CHANNELS}",
    "touchpoint": "whoever was there is no segment of people; `throughline analyse drivers` compares touchpoints",
}
TRAITS_MAX = 20
GROUPS_MAX = 1_000
VALUES_MAX = 100  # of one trait and person
TEXT_MAX = 80  # letters of a segment's name; what is longer is no segment
COLUMNS = (
    shown.label("Segment"),
    shown.estimate("Experience", "mean"),
    shown.estimate("Compared with the others", "difference"),
    shown.figure("p", "p_corrected", shown.RATIO),
    shown.note("Verdict", "verdict"),
    shown.figure("n", "n", shown.COUNT),
)

_KNOWN_ONES = "arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])"
_SAID = {
    OVERALL: f"arrayAvg(arrayMap(x -> assumeNotNull(x), {_KNOWN_ONES}))",
    **{each: f"assumeNotNull({each})" for each in DIMENSIONS},
}
_SAYS = {
    OVERALL: "(effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL)",
    **{each: f"({each} IS NOT NULL)" for each in DIMENSIONS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of this analysis."""
    parser.add_argument("--of", choices=(OVERALL, *DIMENSIONS), default=OVERALL, help="of which experience")
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a trait: {KNOWN}, {CHANNELS}, or any detail or property; may be said several times. Without it these "
        "and the catalogue's segments",
    )


def run(settings: Settings, options: argparse.Namespace) -> Result:
    """Read, compute, and say what was found. Raises CannotAnalyse and BadCatalogue."""
    known = catalogue.load(settings.catalogue_folder)
    period = source.period(settings, options, datetime.now(UTC))
    by = traits(known, options.by)
    with source.connected(settings) as client:
        definition = source.definition(client)
        people = read_people(client, period, options.of)
        everybody, groups, left_out = read(client, period, by, options.of)
    empty = Result(
        *("segments", VERSION, definition, period.since, period.until, kept(people), options.seed),
        parameters={OF: options.of, "by": ", ".join(by), "people_min": str(PEOPLE_MIN)},
    )
    unknown = [each for each in by if each not in everybody]
    if not groups:
        refused = (
            f"No segment by {', '.join(by)} has {PEOPLE_MIN} people with a score between {period.since} and "
            f"{period.until}. A longer period (--from), or another trait (--by), would help."
        )
        return replace(empty, refused=" ".join([refused, *_unsaid(unknown)]))
    found = comparing.compare(groups, everybody)
    return replace(empty, rows=rows(found, by), caveats=(*caveats(found, left_out), *_unsaid(unknown)))


def traits(known: Catalogue, wanted: Sequence[str]) -> tuple[str, ...]:
    """By what people are told apart.

    Raises CannotAnalyse for what people wrote, their profiles, who works here, and too many.
    """
    by = tuple(dict.fromkeys(wanted or (KNOWN, CHANNELS, *known.business.segments)))
    if len(by) > TRAITS_MAX:
        raise CannotAnalyse(f"{len(by)} traits are too many at once: {TRAITS_MAX} at most")
    for each in by:
        if each in FIELDS:
            raise CannotAnalyse(f"--by {each}: {FIELDS[each]}")
        if each in known.policy.texts:
            raise CannotAnalyse(f"--by {each}: it holds what people wrote, and an analysis shows no words of anybody")
        if each in known.policy.traits:
            raise CannotAnalyse(
                f"--by {each}: it is of people's profiles, which are kept for who serves them and are not stored for "
                "analysis. What events say (details and properties), channels and being known by name are"
            )
        if each in known.policy.staff:
            raise CannotAnalyse(f"--by {each}: it says who works here, and an analysis shows nobody by themselves")
    return by


def read_people(client: Client, period: Period, of: str) -> int:
    """How many people have a score. Raises the driver's errors."""
    sql = f"SELECT uniqExact(person) FROM interactions_by_person WHERE {_within()} AND {_SAYS[of]}"  # noqa: S608
    return int(client.query(sql, _parameters(period)).result_rows[0][0])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many groups of each trait are not compared, and why."""

    small: dict[str, int]  # too few people to be told of
    many: dict[str, int]  # more than are compared; those with most people are


def read(client: Client, period: Period, by: Sequence[str], of: str) -> tuple[dict[str, Sums], list[Group], LeftOut]:
    """Of each trait everybody of whom it is known, its groups, those with most people first, and what is left out.

    Raises the driver's errors.
    """
    own = [each for each in by if each not in NAMES]
    parts = {
        KNOWN: f"[('{KNOWN}', if(match(person, '^(customer|loyalty):'), 'known', 'not known'))]",
        CHANNELS: f"[('{CHANNELS}', arrayStringConcat(arraySort(groupUniqArray(channel)), ' + '))]",
    }
    pairs = [parts[each] for each in by if each in parts]
    # A pair for each trait that the interaction says anything of.
    if own:
        pairs.append(
            f"""groupUniqArrayArray({VALUES_MAX * len(own)})(arrayFilter(
                said -> said.2 != '' AND lengthUTF8(said.2) <= {TEXT_MAX},
                arrayMap(name -> (name, if(details[name] != '', details[name], properties[name])),
                    {{traits:Array(String)}})))"""
        )
    sql = f"""SELECT pair.1 AS trait, pair.2 AS segment, count() AS n, sum(score), sum(score * score)
        FROM
        (
            SELECT person, round(avgIf({_SAID[of]}, {_SAYS[of]}), 6) AS score, countIf({_SAYS[of]}) AS pieces,
                arrayConcat({", ".join(pairs)}) AS own,
                arrayConcat(own, arrayMap(trait -> (trait, ''), arrayDistinct(own.1))) AS pairs
            FROM interactions_by_person WHERE {_within()} GROUP BY person HAVING pieces > 0
        )
        ARRAY JOIN pairs AS pair GROUP BY trait, segment ORDER BY trait, n DESC, segment"""  # noqa: S608
    everybody: dict[str, Sums] = {}
    groups: list[Group] = []
    most = GROUPS_MAX // len(by)
    left_out, compared = LeftOut(dict.fromkeys(by, 0), dict.fromkeys(by, 0)), dict.fromkeys(by, 0)
    for trait, segment, n, total, squares in client.query(sql, _parameters(period) | {"traits": own}).result_rows:
        sums = Sums(int(n), float(total), float(squares))
        if not segment:
            everybody[trait] = sums
        elif sums.n < PEOPLE_MIN:
            left_out.small[trait] += 1
        elif compared[trait] == most:
            left_out.many[trait] += 1
        else:
            compared[trait] += 1
            groups.append(Group(trait, segment, sums))
    return everybody, groups, left_out


def rows(found: Sequence[Compared], by: Sequence[str]) -> tuple[Row, ...]:
    """A line for each group, trait by trait, the worst first."""
    ranked = sorted(found, key=lambda each: (by.index(each.group.trait), each.mean.value or 0, each.group.segment))
    return tuple(_row(each) for each in ranked)


def _row(of: Compared) -> Row:
    group = of.group
    figures: dict[str, float | None] = {
        **_interval("mean", of.mean),
        **_interval("difference", of.difference),
        "n": float(group.sums.n),
        "p": of.p,
        "p_corrected": of.p_corrected,
    }
    name = NAMES.get(group.trait, group.trait)
    notes = {"trait": group.trait, "segment": group.segment, "verdict": of.verdict}
    return Row(f"{group.trait}:{group.segment}", f"{name}: {group.segment}", figures, notes)


def caveats(found: Sequence[Compared], left_out: LeftOut) -> tuple[str, ...]:
    """What to beware of."""
    said = [
        "Segments differ in more than their name: what goes with one need not come from it.",
        f"{sum(each.p is not None for each in found):,} segments were compared; p is corrected for all of them (Holm), "
        "intervals are not.",
        NOT_OUTRANKED,
    ]
    why = {
        f"they have fewer than {PEOPLE_MIN} people": left_out.small,
        f"{GROUPS_MAX:,} are compared at most, those with most people": left_out.many,
    }
    for reason, counts in why.items():
        if named := ", ".join(f"{NAMES.get(trait, trait)} {n:,}" for trait, n in counts.items() if n):
            said.append(f"Segments left out, since {reason}: {named}.")
    if any(each.verdict == comparing.NOBODY_ELSE for each in found):
        said.append("Where fewer than 10 others are left, nothing is compared: it would tell of them.")
    return tuple(said)


def _unsaid(unknown: Sequence[str]) -> tuple[str, ...]:
    return (f"Nothing of that time says anything of {', '.join(unknown)}.",) if unknown else ()


def _interval(name: str, of: Interval) -> dict[str, float | None]:
    parts = zip(("", "_low", "_high"), of, strict=True)
    return {f"{name}{end}": None if value is None else round(value, 9) for end, value in parts}


def _within() -> str:
    return (
        "occurred_at >= fromUnixTimestamp64Milli({since:Int64}) AND "
        "occurred_at < fromUnixTimestamp64Milli({until:Int64})"
    )


def _parameters(period: Period) -> dict[str, object]:
    since, until = period.bounds_ms
    return {"since": since, "until": until}
