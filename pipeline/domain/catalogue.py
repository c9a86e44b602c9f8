"""The catalogue: touchpoints with their owners, how interactions become scores, and the policy of identity and privacy.

From parsed YAML to frozen values.

Whoever edits the files is a person, so every error says where it is and what would be right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.domain.consent import PURPOSES
from pipeline.domain.interaction import CHANNELS, NAMESPACES
from pipeline.domain.policy import PUBLIC, Placeholders, Policy
from pipeline.domain.scoring import DAY_MS, DIMENSIONS, Curve, Observation, Question, Scoring, Values

LAYERS = ("front", "back", "partner")


class BadCatalogue(ValueError):
    """A file of the catalogue cannot be used; says where, and what is expected."""


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """A place where interactions happen."""

    id: str
    name: str  # for people
    channels: tuple[str, ...]
    owner: str  # who can do something about it
    layer: str  # one of LAYERS


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of it."""

    touchpoints: Mapping[str, Touchpoint]
    scoring: Scoring
    policy: Policy


def touchpoints(data: Any) -> dict[str, Touchpoint]:
    """The touchpoints of a parsed touchpoints.yaml, by id. Raises BadCatalogue."""
    result: dict[str, Touchpoint] = {}
    for n, each in enumerate(_list(_mapping(data, "the file"), "touchpoints", "the file"), 1):
        where = f"touchpoint {n}"
        given = _mapping(each, where)
        _only(given, {"id", "name", "channels", "owner", "layer"}, where)
        touchpoint = Touchpoint(
            _text(given, "id", where),
            _text(given, "name", where),
            tuple(_one_of(c, CHANNELS, f"{where}: a channel") for c in _list(given, "channels", where)),
            _text(given, "owner", where),
            _one_of(_text(given, "layer", where), LAYERS, f"{where}: layer"),
        )
        if touchpoint.id in result:
            raise BadCatalogue(f"{where}: {touchpoint.id} stands there twice")
        result[touchpoint.id] = touchpoint
    return result


def scoring(data: Any) -> Scoring:
    """The definitions of a parsed scores.yaml. Raises BadCatalogue."""
    given = _mapping(data, "the file")
    _only(given, {"version", "half_life_days", "questions", "constants", "curves"}, "the file")
    version = given.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 1 << 31:
        raise BadCatalogue("version: must be a whole number from 1 on")
    half_life = _number(given.get("half_life_days"), "half_life_days")
    if half_life <= 0:
        raise BadCatalogue("half_life_days: must be above 0")
    questions = {
        str(question): Question(_dimension(dimension, f"question {question}"))
        for question, dimension in _mapping(given.get("questions", {}), "questions").items()
    }
    constants = {
        str(kind): _constants(values, f"constants of {kind}")
        for kind, values in _mapping(given.get("constants", {}), "constants").items()
    }
    curves: dict[str, list[Curve]] = {}
    for n, each in enumerate(_list(given, "curves", "the file") if "curves" in given else [], 1):
        kinds, curve = _curve(_mapping(each, f"curve {n}"), f"curve {n}")
        for kind in kinds:
            curves.setdefault(kind, []).append(curve)
    observed = {
        kind: Observation(constants.get(kind, (None, None, None)), tuple(curves.get(kind, ())))
        for kind in sorted({*constants, *curves})
    }
    return Scoring(version, round(half_life * DAY_MS), questions, observed)


def policy(data: Any) -> Policy:
    """The policy of a parsed identity.yaml. Raises BadCatalogue."""
    given = _mapping(data, "the file")
    lists = ("purposes", "properties", "traits", "texts", "staff")
    _only(given, {"placeholders", "may_link", *lists}, "the file")
    placeholders = _mapping(given.get("placeholders"), "placeholders")
    _only(placeholders, {"values", "before_at"}, "placeholders")
    links = _mapping(given.get("may_link"), "may_link")
    _only(links, {"default", "public", "sources"}, "may_link")
    sources = _mapping(links.get("sources"), "may_link: sources")
    names = {name: _names(given, name, "the file") for name in lists}
    if missing := frozenset(PURPOSES) - names["purposes"]:
        raise BadCatalogue(f"purposes: {min(missing)} is missing")
    return Policy(
        Placeholders(_lower(placeholders, "values"), _lower(placeholders, "before_at")),
        _namespaces(links, "default", "may_link"),
        _namespaces(links, "public", "may_link", PUBLIC),
        {_source(source): _namespaces(sources, source, "may_link: sources") for source in sources},
        **names,
    )


def _names(given: Mapping[str, Any], name: str, where: str) -> frozenset[str]:
    """A list of texts, each once."""
    found = _list(given, name, where)
    for each in found:
        if not isinstance(each, str) or not each:
            raise BadCatalogue(f"{where}: {name} must hold texts, not {each!r}: put it in quotes")
    if len(set(found)) < len(found):
        raise BadCatalogue(
            f"{where}: {name}: {next(each for each in found if found.count(each) > 1)} stands there twice"
        )
    return frozenset(found)


def _lower(given: Mapping[str, Any], name: str) -> frozenset[str]:
    found = _names(given, name, "placeholders")
    for each in found:
        if each != each.lower().strip():
            raise BadCatalogue(f"placeholders: {name}: {each!r} must be in lower case and without blanks around it")
    return found


def _namespaces(
    given: Mapping[str, Any], name: str, where: str, allowed: frozenset[str] = frozenset(NAMESPACES)
) -> frozenset[str]:
    names = tuple(each for each in NAMESPACES if each in allowed)
    return frozenset(_one_of(each, names, f"{where}: {name}: a namespace") for each in _names(given, name, where))


def _source(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise BadCatalogue(f"may_link: sources: a source must be a text, not {name!r}: put it in quotes")
    return name


def _constants(data: Any, where: str) -> Values:
    values: list[float | None] = [None, None, None]
    for dimension, value in _mapping(data, where).items():
        values[_dimension(dimension, where)] = _score(value, where)
    return values[0], values[1], values[2]


def _curve(given: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], Curve]:
    """(event types, curve)"""
    _only(given, {"measure", "types", "dimension", "points"}, where)
    points = []
    for point in _list(given, "points", where):
        if not isinstance(point, list) or len(point) != 2:
            raise BadCatalogue(f"{where}: a point must be [measure, score], not {point!r}")
        points.append((_number(point[0], where), _score(point[1], where)))
        if len(points) > 1 and points[-1][0] <= points[-2][0]:
            raise BadCatalogue(f"{where}: the points' measures must rise")
    kinds = tuple(str(kind) for kind in _list(given, "types", where))
    if not points or not kinds:
        raise BadCatalogue(f"{where}: needs at least one type and one point")
    dimension = _dimension(given.get("dimension"), where)
    return kinds, Curve(_text(given, "measure", where), dimension, tuple(points))


def _mapping(data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise BadCatalogue(f"{where}: must be a mapping of names to values")
    return data


def _list(given: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = given.get(name)
    if not isinstance(value, list):
        raise BadCatalogue(f"{where}: {name} must be a list")
    return value


def _text(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise BadCatalogue(f"{where}: {name} must be a text")
    return value


def _only(given: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := set(given) - names:
        raise BadCatalogue(f"{where}: {min(map(str, unknown))} is none of {', '.join(sorted(names))}")


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise BadCatalogue(f"{where} must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _dimension(value: Any, where: str) -> int:
    return DIMENSIONS.index(_one_of(value, DIMENSIONS, f"{where}: dimension"))


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadCatalogue(f"{where}: must be a number, not {value!r}")
    return float(value)


def _score(value: Any, where: str) -> float:
    number = _number(value, where)
    if not 0 <= number <= 100:
        raise BadCatalogue(f"{where}: a score must be between 0 and 100, not {value!r}")
    return number
