"""Reads the catalogue: a folder of YAML files, by default `schemas/catalogue`.

Each problem is a line ``file:line: place: what is wrong``. The files' shapes are `domain.catalogue_files`; the JSON
Schemas in the folder's `schema` are made from them (`schemas`), and a test says when they are old.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pipeline.domain import catalogue
from pipeline.domain.catalogue import BadCatalogue, Catalogue, Place, Problem
from pipeline.domain.catalogue_files import SHAPES

FILE_BYTES_MAX = 1 << 20
PLACE = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_MISSING = re.compile(r"Object missing required field (.+)")
_UNKNOWN = re.compile(r"Object contains unknown field (.+)")


def load(folder: Path) -> Catalogue:
    """The catalogue in a folder. Raises BadCatalogue, which names the file and the line of every problem."""
    files: dict[str, Any] = {}
    wrong: list[str] = []
    documents: dict[str, _Document] = {}
    for name, path in _files(folder):
        try:
            documents[name] = document = _Document(path)
            files[name] = document.converted(SHAPES[name.partition("-")[0]])
        except BadCatalogue as problem:
            wrong.append(str(problem))
    touchpoints = files["touchpoints"].touchpoints if "touchpoints" in files else ()
    known = {each.id for each in touchpoints}
    for name, given in files.items():
        if name == "touchpoints" or "touchpoints" in files:
            wrong += [documents[name].said(each) for each in catalogue.problems(name, given, known)]
    versions = [given.version for name, given in files.items() if name.startswith("scores")]
    if len(set(versions)) < len(versions):
        wrong.append(f"{folder}: two files have the same version of scores")
    if wrong:
        raise BadCatalogue("\n".join(wrong))
    business = files["business"]
    return Catalogue(
        {each.id: each for each in touchpoints},
        {each.id: each for each in files["journeys"].journeys},
        business,
        {
            given.version: catalogue.scoring(given, touchpoints, business.issues)
            for name, given in files.items()
            if name.startswith("scores")
        },
        catalogue.policy(files["identity"]),
    )


def json_schemas() -> dict[str, str]:
    """File (without its ending) → its JSON Schema, as text."""
    return {name: json.dumps(_schema(name), indent=2, ensure_ascii=False) + "\n" for name in SHAPES}


def _schema(name: str) -> dict[str, Any]:
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": f"{name}.yaml of Throughline's catalogue", **msgspec.json.schema(SHAPES[name])}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files that there must be, and further versions of the scores."""
    for name in SHAPES:
        yield name, folder / f"{name}.yaml"
    for path in sorted(folder.glob("scores-*.yaml")):
        yield path.stem, path


class _Document:
    """A YAML file with the lines of everything in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                raise BadCatalogue(f"{path}: larger than {FILE_BYTES_MAX} bytes")
            text = path.read_text(encoding="utf-8")
            self._node = yaml.compose(text, Loader=yaml.SafeLoader)
            self._data = yaml.safe_load(text)
        except OSError as problem:
            raise BadCatalogue(f"{path}: cannot be read ({problem.strerror})") from problem
        except UnicodeDecodeError as problem:
            raise BadCatalogue(f"{path}: is not UTF-8") from problem
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            line = mark.line + 1 if mark is not None else 1
            raise BadCatalogue(f"{path}:{line}: no YAML: {getattr(problem, 'problem', problem)}") from problem

    def converted(self, shape: type[msgspec.Struct]) -> Any:
        """The file as a value of its shape. Raises BadCatalogue."""
        for place, key in _doubled(self._node):
            raise BadCatalogue(self.said(Problem(place, f"{key} stands there twice")))
        for place in _infinite(self._data, ()):
            raise BadCatalogue(self.said(Problem(place, "must be a number")))
        try:
            return msgspec.convert(self._data, shape)
        except msgspec.ValidationError as problem:
            raise BadCatalogue(self.said(self._explained(str(problem), shape))) from problem

    def said(self, problem: Problem) -> str:
        """The problem with its file, line and place."""
        place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in problem.place).lstrip(".")
        where = f"{self._path}:{self._line(problem.place)}"
        return f"{where}: {place}: {problem.says}" if place else f"{where}: {problem.says}"

    def _explained(self, error: str, shape: type[msgspec.Struct]) -> Problem:
        says, _, where = error.replace("`", "").partition(" - at ")
        place = self._exact([a or (int(b) if b.isdigit() else b) for a, b in PLACE.findall(where)], error, shape)
        if (missing := _MISSING.match(says)) is not None:
            return Problem(place, f"{missing[1]} is missing")
        if (unknown := _UNKNOWN.match(says)) is not None:
            return Problem((*place, unknown[1]), "nothing of that name belongs here")
        quoted = ": a text that YAML reads as something else needs quotes" if says.startswith("Expected str") else ""
        return Problem(place, says[0].lower() + says[1:] + quoted)

    def _exact(self, found: list[str | int], error: str, shape: type[msgspec.Struct]) -> Place:
        """The place with the key for each `...`: the first one with which alone the error stays."""
        place: list[str | int] = []
        data = self._data
        for each in found:
            if each == "..." and isinstance(data, dict):
                each = next((key for key in data if self._still(place, key, error, shape)), "...")
            place.append(each)
            try:
                data = data[each]
            except (KeyError, IndexError, TypeError):
                break
        return tuple(place)

    def _still(self, place: list[str | int], key: str | int, error: str, shape: type[msgspec.Struct]) -> bool:
        reduced = _with_only(self._data, place, key)
        try:
            msgspec.convert(reduced, shape)
        except msgspec.ValidationError as problem:
            return str(problem) == error
        return False

    def _line(self, place: Place) -> int:
        """The line of the innermost part of a place that is there."""
        node = self._node
        line = 1
        for each in place:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(each)]
                if not pairs:
                    break
                key, node = pairs[-1]
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(each, int) and each < len(node.value):
                node = node.value[each]
                line = node.start_mark.line + 1
            else:
                break
        return line


def _with_only(data: Any, place: list[str | int], key: str | int) -> Any:
    """The data, where the mapping at a place has nothing but one key."""
    if not place:
        return {key: data[key]}
    if isinstance(data, list):
        return [_with_only(each, place[1:], key) if n == place[0] else each for n, each in enumerate(data)]
    return {name: _with_only(each, place[1:], key) if name == place[0] else each for name, each in data.items()}


def _infinite(data: Any, place: Place) -> Iterator[Place]:
    if isinstance(data, float) and not math.isfinite(data):
        yield place
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _infinite(value, (*place, key))
    elif isinstance(data, list):
        for n, value in enumerate(data):
            yield from _infinite(value, (*place, n))


def _doubled(node: yaml.Node | None, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Keys that stand twice in one mapping: YAML would take the last one without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield (*place, key.value), key.value
            seen.add(key.value)
            yield from _doubled(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield from _doubled(value, (*place, n))


if __name__ == "__main__":
    # Write the JSON Schemas of the shop's catalogue anew.
    _folder = Path(__file__).parents[1] / "schemas" / "catalogue" / "schema"
    for _name, _text in json_schemas().items():
        (_folder / f"{_name}.schema.json").write_text(_text, encoding="utf-8")
