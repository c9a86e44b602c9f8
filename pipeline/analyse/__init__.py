"""What drives experience and what it does to the business: `throughline analyse …`. Reads ClickHouse, writes back.

An analysis is a module with `add_arguments`, `run` and `COLUMNS` (`main.Analysis`). It reads views that leave out who
refuses analysis, hands arrays to pure functions, and gives one `Result`, which is shown, kept in the tables `analyses`
and `analysis_rows`, and read from there by views and reports.

Rules
- A result says of what it is made: version of the method, definition of the scores, period, n, seed, parameters.
  The same analysis again (`analysis_id`) takes the earlier one's place; with the same data and seed it is the same.
- Figures are of groups, never of fewer than 10 people (`PEOPLE_MIN`). A result has no id and no words of a person.
- What rests on too little is refused, in a sentence that says why and what would help; what may mislead is a caveat,
  and caveats go wherever the figures go.
- Formulas are numpy's, scipy's and statsmodels'. Our own ones name their source, and a test holds them against a
  second way of computing.
- An analysis decides nothing and changes no score. What it finds is association, and says so.
"""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
PEOPLE_MIN = 10  # a group of fewer people is not shown
#: A caveat of all that reads evidence as it was stored.
NOT_OUTRANKED = "What was observed counts also where an answer about the very interaction says otherwise."
