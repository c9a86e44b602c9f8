"""What to beware of where drivers are read, and why there are none: sentences, from figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.analyse import NOT_OUTRANKED, PEOPLE_MIN
from pipeline.analyse.driving import CASES_MIN, Study
from pipeline.analyse.few import few
from pipeline.analyse.reading import RECOMMENDATION, SATISFACTION, Outcome, Table

RESPONSE_MIN = 0.2  # of the people with evidence; below, those who answered may be others than those who did not
HALO = 0.5  # of the evidence from the outcome's own survey
INFLATED = 5.0  # a usual limit of variance inflation
_HELP = "A longer period (--from), fewer touchpoints (--drivers, --most) or another --outcome would help."


@dataclass(frozen=True, slots=True)
class About:
    """What an analysis is of."""

    outcome: Outcome
    people: int  # with any evidence in the period
    table: Table  # of those in it
    names: Mapping[str, str]  # of drivers

    @property
    def n(self) -> int:
        """People in it."""
        return len(self.table.values)


def whose(of: Outcome) -> str:
    """Who has the outcome, in words."""
    asked = {RECOMMENDATION: "whether they would recommend us", SATISFACTION: "how satisfied they are"}
    return f"people who said {asked[of.name]}" if of.name in asked else "people with an overall score"


def too_few_drivers(of: Outcome) -> str:
    """There are not two drivers that enough people know."""
    return (
        f"There are not two drivers that enough {whose(of)} have experienced: {CASES_MIN} people for each driver are "
        f"needed, at each pair of drivers. {_HELP}"
    )


def too_few_people(of: Outcome, counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """The drivers that were asked for need more people. `counts` as of `driving.pairs`."""
    p = len(names)
    at = np.unravel_index(np.argmin(np.where(np.tri(p + 1, dtype=bool), counts, counts.max() + 1)), counts.shape)
    i, j = sorted(int(each) for each in at)
    where = names[j - 1] if i in (0, j) else f"both {names[i - 1]} and {names[j - 1]}"
    return (
        f"Of {whose(of)}, {few(int(counts[at]))} have experienced {where}. {CASES_MIN} people for each driver are "
        f"needed, {CASES_MIN * p} for these {p}. {_HELP}"
    )


def everybody_the_same(of: Outcome) -> str:
    """The outcome does not vary."""
    return f"All {whose(of)} have the same value there: nothing can drive what does not vary. {_HELP}"


def nothing_found(about: About, found: Study) -> str:
    """All drivers together explain no more than chance."""
    return (
        f"The {len(found.n)} drivers explain no more of {about.outcome.name} than chance does: {found.r2[0]:.1%} of "
        f"its variance, with {found.fewest:,} people at the pair of drivers that fewest know (p {found.p_value:.2f}). "
        "Shares of nothing would mean nothing."
    )


def of_data(about: About, left_out: Sequence[tuple[str, int]], even: Sequence[str]) -> tuple[str, ...]:
    """What holds of the table, whatever comes out."""
    found = [
        _outcome(about.outcome),
        "Drivers and overall experience go together; that one causes the other is not shown.",
        NOT_OUTRANKED,
    ]
    people = about.people
    if people and about.n < RESPONSE_MIN * people:
        found.append(
            f"Few are in it: {few(about.n)} of {few(people)} people with evidence in the period have an outcome"
            f"{'' if about.n < PEOPLE_MIN else f' ({about.n / people:.1%})'}. Those who say nothing may feel otherwise."
        )
    evidence, same = about.table.evidence, about.table.same_day
    if evidence and same > HALO * evidence:
        found.append(
            f"{same / evidence:.0%} of the evidence on the drivers was answered on the same day as the outcome, as in "
            "one survey: who answers one question well answers all well (halo), so shares tend to be alike, and too "
            "large."
        )
    if left_out:
        named = ", ".join(f"{about.names.get(each, each)} ({few(n)})" for each, n in left_out)
        found.append(f"Left out, since too few were there and at the others: {named}.")
    if even:
        named = ", ".join(about.names.get(each, each) for each in even)
        found.append(f"Left out, since everybody's score is the same there: {named}.")
    return tuple(found)


def of_study(about: About, drivers: Sequence[str], found: Study) -> tuple[str, ...]:
    """What holds of the figures."""
    names = [about.names[each] for each in drivers]
    said = [
        f"{about.n:,} people; what they did not experience stays unknown. Each figure is of those in whom it is known; "
        f"two drivers are compared by the people who know both, {found.fewest:,} at least."
    ]
    overlaps = _chains(found.uncertain)
    if overlaps:
        chains = "; ".join(", ".join(names[j] for j in chain) for chain in overlaps)
        said.append(f"Ranks overlap: which comes first is not certain among {chains}.")
    inflated = [f"{names[j]} ({vif:.1f})" for j, vif in enumerate(found.inflation) if vif >= INFLATED]
    if inflated:
        said.append(f"These say much of the same as the others (variance inflation): {', '.join(inflated)}.")
    if found.mended:
        said.append(
            "Correlations of different people did not quite fit together, or drivers say the same; they were fitted "
            "(smallest eigenvalue raised), so small differences mean little."
        )
    wrong = [names[j] for j in range(len(names)) if found.coefficient.high[j] < 0]
    if wrong:
        said.append(f"The better these were, the worse the outcome, the others equal: {', '.join(wrong)}. Look why.")
    if found.error is not None:
        said.append(f"Shares come from orders drawn at random: standard error at most {found.error.max():.2%}.")
    return tuple(said)


def _outcome(of: Outcome) -> str:
    if of.questions:
        asked = ", ".join(of.questions)
        return (
            f"Overall experience is here what {whose(of)} answered ({asked}), 0 to 100; these answers count in no "
            "driver."
        )
    return (
        "Overall experience is here the overall score. It is computed from the same evidence as the drivers, so shares "
        "say what the score is made of, not what people make of it: ask people for their overall opinion (nps)."
    )


def _chains(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Neighbours that hang together, in their order."""
    chains: list[list[int]] = []
    for a, b in pairs:
        if chains and chains[-1][-1] == a:
            chains[-1].append(b)
        else:
            chains.append([a, b])
    return chains
