"""Every metric is declared well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from pipeline import metrics

DECLARED = [value for value in vars(metrics).values() if isinstance(value, Counter | Gauge | Histogram)]
FAMILIES = [family for metric in DECLARED for family in metric.collect()]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_metric_says_what_it_counts_and_in_which_unit(family: object) -> None:
    name, documentation = family.name, family.documentation  # type: ignore[attr-defined]
    assert re.fullmatch(r"throughline_[a-z_]+", name)
    assert len(documentation) > 15
    assert documentation.endswith(".")


def test_the_page_shows_them_all() -> None:
    page = metrics.exposition().decode()
    assert all(f"# HELP {family.name}" in page for family in FAMILIES)


def test_every_metric_is_counted_somewhere() -> None:
    package = Path(metrics.__file__).parent
    sources = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "metrics.py")
    names = [name for name, value in vars(metrics).items() if value in DECLARED]
    assert [name for name in names if f"metrics.{name}" not in sources] == []
