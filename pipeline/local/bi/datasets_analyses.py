"""The datasets of what analyses found: a row is a line of the newest analysis of its kind, with n and 95 % interval."""

from __future__ import annotations

from pipeline.local.bi.charts import DECIMAL, NUMBER, SCORE, SHARE, Column, Dataset, Metric


def _texts(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, label) for name, label in pairs)


def _numbers(number_format: str, *names: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, label, "number", number_format) for name, label in names)


def _estimate(name: str, label: str, number_format: str) -> tuple[Column, ...]:
    """A figure and the ends of its interval."""
    ends = ((name, label), (f"{name}_low", f"{label} from"), (f"{name}_high", f"{label} to"))
    return _numbers(number_format, *ends)


_MADE = (("period", "Days"), ("caveats", "What to beware of"))

DRIVERS = Dataset(
    "drivers",
    (
        *_texts(("driver", "Touchpoint"), ("quadrant", "What follows"), ("chance", "Chance"), *_MADE),
        *_numbers(NUMBER, ("position", "Rank"), ("n", "n"), ("people", "People")),
        *_estimate("share", "Importance", SHARE),
        *_estimate("weight", "Johnson's weight", SHARE),
        *_numbers(SHARE, ("importance_line", "Equal share")),
        *_estimate("performance", "Performance", SCORE),
        *_numbers(SCORE, ("performance_line", "Mean performance")),
        *_estimate("coefficient", "10 points go with", DECIMAL),
        *_numbers(DECIMAL, ("vif", "Variance inflation")),
        *_estimate("r2", "Explained", SHARE),
    ),
    (
        Metric("importance", "Importance", "max(share)", SHARE),
        Metric("importance_low", "95 % from", "max(share_low)", SHARE),
        Metric("importance_high", "95 % to", "max(share_high)", SHARE),
        Metric("explained", "Explained", "max(r2)", SHARE),
        Metric("explained_low", "Explained from", "max(r2_low)", SHARE),
        Metric("explained_high", "Explained to", "max(r2_high)", SHARE),
        Metric("people_asked", "People (n)", "max(people)"),
    ),
)
SEGMENTS = Dataset(
    "segments",
    (
        *_texts(("trait", "Told apart by"), ("segment", "Segment"), ("verdict", "Verdict"), *_MADE),
        *_numbers(NUMBER, ("n", "n")),
        *_estimate("mean", "Experience", SCORE),
        *_estimate("difference", "Against all others", DECIMAL),
        *_numbers(",.3f", ("p_corrected", "p, corrected")),
    ),
)
LINK_EFFECTS = Dataset(
    "link_effects",
    (
        *_texts(("outcome", "Outcome"), ("unit", "Unit"), ("verdict", "Verdict"), ("reason", "Why not known")),
        *_texts(("control_verdict", "Negative control"), *_MADE),
        *_numbers(NUMBER, ("position", "Position"), ("n", "n")),
        *_estimate("effect", "10 points go with", DECIMAL),
        *_estimate("spearman", "Rank correlation", ",.2f"),
    ),
)
CHANGE_EFFECTS = Dataset(
    "change_effects",
    (
        Column("changed_on", "Changed on", "day"),
        *_texts(("touchpoint_name", "Touchpoint"), ("what", "What was changed"), ("verdict", "Verdict")),
        *_texts(("reason", "Why grey"), ("beware", "Beware"), ("caveats", "What to beware of")),
        *_estimate("before", "Before", SCORE),
        *_estimate("after", "After", SCORE),
        *_estimate("effect", "Less the others", DECIMAL),
        *_numbers(NUMBER, ("before_n", "n before"), ("after_n", "n after"), ("others", "Others")),
    ),
)
PATHS = Dataset(
    "paths",
    (
        *_texts(("part", "Part"), ("journey", "Journey"), ("name", "Name"), ("step", "Step"), *_MADE),
        *_texts(("what", "How it differs from the design"), ("design", "As designed"), ("after", "After")),
        *_texts(("from_channel_or_step", "From"), ("to_channel_or_step", "To"), ("issue", "About")),
        *_texts(("currency", "Currency")),
        *_numbers(NUMBER, ("position", "Position"), ("n", "People"), ("of_n", "Of"), ("times", "Times")),
        *_estimate("share", "Share", SHARE),
        *_numbers(DECIMAL, ("median_h", "Half within, hours"), ("handle_h", "Hours of work"), ("cost", "Cost")),
    ),
    (
        Metric("people_lost", "People who ended there", "sum(n)"),
        Metric("people_there", "People at the step", "sum(of_n)"),
    ),
)
DATASETS = (DRIVERS, SEGMENTS, LINK_EFFECTS, CHANGE_EFFECTS, PATHS)
