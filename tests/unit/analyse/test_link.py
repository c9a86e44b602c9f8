"""From what was read to a result: who is left out, and what is said where results do not reach back far enough."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.analyse.link import Amounts, Asked, How, Moments, analysed, since_of
from pipeline.analyse.linking import Floats, links
from pipeline.analyse.result import Result
from pipeline.analyse.source import Period

from .test_linking import world

PERIOD = Period(date(2026, 5, 1), date(2026, 7, 30), ZoneInfo("UTC"))
MOMENTS = Moments.of(PERIOD, How())
ASKED = Asked(1, PERIOD, How(), 7, "EUR")
DAY = 86_400_000


ALWAYS = dict.fromkeys(("net", "bought", "returned"), MOMENTS.oldest)


def columns(elsewhere: int = 0, n: int = 500, gone: int = 0) -> dict[str, Floats]:
    of = world(3, n, per_point=0.8)
    plain = ("score", "tenure_days", "spend", "recent", "score_before", "score_between")
    read = {name: getattr(of, name) for name in (*plain, "control_tenure_days", "control_spend")}
    read |= {f"{name}_after": result for name, result in of.after.items()}
    read |= {f"{name}_control": result for name, result in of.control.items()}
    at = np.arange(n)
    return read | {"elsewhere": (at < elsewhere).astype(float), "gone": (at >= n - gone).astype(float)}


def of(found: Result, name: str) -> dict[str, float | None]:
    return dict(next(row.figures for row in found.rows if row.item == name))


def test_a_result_says_of_what_it_is_made() -> None:
    found = analysed(ASKED, columns(), MOMENTS, ALWAYS, 0)
    assert (found.kind, found.n, found.seed, found.refused) == ("link", 500, 7, "")
    assert found.parameters == {"currency": "EUR", "active_days": "90", "recent_days": "30"}
    net = links(world(3, 500, per_point=0.8))[0]
    assert (of(found, "net")["effect"], of(found, "net")["control"]) == (net.effect.value, net.control.value)


def test_who_pays_in_another_currency_is_left_out() -> None:
    found = analysed(ASKED, columns(elsewhere=40), MOMENTS, ALWAYS, 12)
    assert (found.n, of(found, "net")["n"]) == (460, 460)
    assert "Left out: 40 customers with amounts in other currencies than EUR." in found.caveats
    assert "Amounts without a currency do not count; 12 people have some." in found.caveats


def test_who_had_left_is_left_out() -> None:
    found = analysed(ASKED, columns(elsewhere=40, gone=100), MOMENTS, ALWAYS, 0)
    assert (found.n, of(found, "churned")["n"]) == (360, 360)
    assert "Left out: 100 customers who had left by then." in found.caveats


def test_results_that_began_late_are_no_negative_control() -> None:
    """What was not recorded is not nothing: it would be taken for a result of none."""
    late = MOMENTS.control + 8 * DAY
    found = analysed(ASKED, columns(), MOMENTS, dict.fromkeys(ALWAYS, late), 0)
    assert of(found, "net")["control"] is None
    assert of(found, "net")["effect"] is not None
    assert "There is no negative control: business results do not reach back to its window." in found.caveats
    assert not any("earlier spend is not whole" in each for each in found.caveats)
    later = analysed(ASKED, columns(), MOMENTS, ALWAYS | {"net": MOMENTS.before + 8 * DAY}, 0)
    assert "Business results begin on 2026-02-08, so earlier spend is not whole." in later.caveats


def test_each_result_reaches_back_by_itself() -> None:
    late = MOMENTS.control + 8 * DAY
    found = analysed(ASKED, columns(), MOMENTS, ALWAYS | {"net": late}, 0)
    assert of(found, "net")["control"] is None
    assert of(found, "returned")["control"] is not None
    (said,) = (each for each in found.caveats if "no negative control for Net amount: " in each)
    assert said.endswith("business results do not reach back to its window.")
    never = analysed(ASKED, columns(), MOMENTS, {"net": MOMENTS.oldest, "bought": MOMENTS.oldest}, 0)
    assert (of(never, "returned")["control"], of(never, "returned")["control_n"]) == (None, 0)


def test_amounts_are_those_of_the_currency_and_orders_whatever_they_cost() -> None:
    told = [Amounts("EUR", 20, 40, 500, 500, None), Amounts("CHF", 10, 10, 100, 300, None)]
    told.append(Amounts("", 0, 0, None, 200, None))
    assert since_of(told, "EUR") == {"net": 500, "bought": 200}


def test_too_few_are_refused_with_what_would_help() -> None:
    found = analysed(ASKED, columns(n=49), MOMENTS, ALWAYS, 0)
    assert (found.n, found.rows, found.caveats) == (0, (), ())
    assert found.refused == (
        "49 customers were active and have a score; it takes 50 to say anything (active: 49). Choose more "
        "--active-days, or another --from"
    )


def test_how_few_there_are_is_not_said() -> None:
    found = analysed(ASKED, columns(n=9), MOMENTS, ALWAYS, 0)
    assert found.refused.startswith("fewer than 10 customers were active and have a score; it takes 50")
    assert "(active: fewer than 10)" in found.refused
