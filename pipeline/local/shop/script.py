"""The shop's cast and script, read from their files and checked whole before anything is played."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

FOLDER = Path(__file__).parent
Span = tuple[float, float]  # least and most
Amount = int | float | Span | str


class BadScript(ValueError):
    """people.yaml, journeys.yaml, backstage.yaml or books.yaml cannot be played; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up customer. `device` and `phone` may be shared with a neighbour in the list."""

    customer: str
    name: str
    language: str
    loyalty: str
    email: str
    phone: str
    anonymous: str
    device: str

    def identifiers(self, namespaces: tuple[str, ...]) -> dict[str, str]:
        """Those of the person that an event carries."""
        return {namespace: getattr(self, namespace) for namespace in namespaces}


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A survey answer to draw."""

    question: str
    min: float
    max: float
    value: Span


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One interaction of a journey; journeys.yaml says what the fields mean."""

    do: str
    at: str
    via: str
    by: tuple[str, ...]
    after: Span = (0, 0)
    session: str = msgspec.field(default="", name="in")
    label: str = msgspec.field(default="", name="as")
    chance: float = 1.0
    needs: str = ""
    about: str = ""
    goal: str = ""
    issue: str = ""
    items: bool = False
    measures: dict[str, Amount] = {}
    properties: dict[str, str] = {}
    details: dict[str, Amount] = {}
    answer: Answer | None = None


class Journey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way that a person takes through the shop."""

    name: str
    weight: float
    steps: tuple[Step, ...]


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sold, and how people look for it."""

    id: str
    name: str
    price: float
    queries: tuple[str, ...]


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that can happen."""

    sources: dict[str, str]  # channel → source
    agents: tuple[str, ...]
    couriers: tuple[str, ...]
    stores: tuple[str, ...]
    preferences: dict[str, tuple[str, ...]]
    products: tuple[Product, ...]
    journeys: tuple[Journey, ...]
    beginning: Journey

    def journey(self, name: str) -> Journey | None:
        """The journey of that name."""
        return next((each for each in (*self.journeys, self.beginning) if each.name == name), None)


class Cast(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people are made of."""

    count: int
    households: int
    shared_phones: int
    area_codes: tuple[int, ...]
    languages: dict[str, float]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


_STORY_NUMBERS = 100  # 555-0100 to 555-0199 of every area are kept free


def script(folder: Path = FOLDER) -> Script:
    """The script. Raises BadScript."""
    read: Script = read_file(folder / "journeys.yaml", Script)
    for journey in (*read.journeys, read.beginning):
        labels: set[str] = set()
        for step in journey.steps:
            if not {step.needs, step.about} <= labels | {""} or step.via not in read.sources:
                raise BadScript(f"journeys.yaml: {journey.name}: {step.do} names no step before it, or no channel")
            labels.add(step.label)
    return read


def people(seed: int, folder: Path = FOLDER) -> tuple[Person, ...]:
    """The customers: the same in every run with the same seed. Raises BadScript."""
    cast: Cast = read_file(folder / "people.yaml", Cast)
    names = [f"{first} {last}" for first in cast.first_names for last in cast.last_names]
    if not 0 < cast.count <= min(len(names), len(cast.area_codes) * _STORY_NUMBERS):
        raise BadScript("people.yaml: fewer names or phone numbers than people")
    rng = random.Random(f"people of {seed}")  # noqa: S311  # a story, no secret
    found = []
    for n, name in enumerate(rng.sample(names, cast.count)):
        home = n - n % 2 if n < 2 * cast.households else n
        phone = n - n % 2 if n < 2 * cast.shared_phones else n
        found.append(
            Person(
                customer=str(20_001 + n),
                name=name,
                language=rng.choices(list(cast.languages), list(cast.languages.values()))[0],
                loyalty=f"L{700_001 + n}",
                email=f"{name.lower().replace(' ', '.')}@example.com",
                phone=f"+1{cast.area_codes[phone // _STORY_NUMBERS]}55501{phone % _STORY_NUMBERS:02d}",
                anonymous=f"visitor-{rng.getrandbits(48):012x}",
                device=f"device-{seed}-{home:04d}",
            )
        )
    return tuple(found)


def read_file(path: Path, kind: Any) -> Any:
    """A file of the script as that kind. Raises BadScript."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_text()), kind)
    except (yaml.YAMLError, msgspec.ValidationError) as problem:
        raise BadScript(f"{path.name}: {problem}") from problem
