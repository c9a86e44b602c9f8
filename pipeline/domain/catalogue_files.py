"""The files of the catalogue, as they are written: their shapes, from which the JSON Schemas for editors are made.

What stands here is all that a file may say. What several files must say together is checked in `catalogue`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="lower-case letters, digits, _ . -")]
IssueId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="as events say it")]
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
Channel = Literal["web", "mobile", "phone", "in_store", "chat", "message", "partner"]
Layer = Literal["evidence", "customer", "frontstage", "backstage", "support"]
Dimension = Literal["effectiveness", "ease", "emotion"]
Metric = Literal["", "nps", "csat", "ces", "needs_met", "question_ease", "enjoyment"]
Namespace = Literal["customer", "loyalty", "email", "phone", "anonymous", "device"]
Points = Annotated[float, Meta(ge=0, le=100, description="0 to 100, higher is better")]
Hours = Annotated[float, Meta(gt=0, le=8_760)]
Days = Annotated[float, Meta(gt=0, le=3_650)]


class Expects(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer expects of a touchpoint: a measure of its events, and what it should reach."""

    measure: Text
    target: Annotated[float, Meta(gt=0)]
    better: Literal["lower", "higher"] = "lower"
    types: Annotated[tuple[Text, ...], Meta(description="event types whose measure counts; empty: all of them")] = ()


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """When a touchpoint's dot is green, yellow or red.

    `measure` is score (the mean of effectiveness, ease and emotion) or a measure of its observations. Where green is
    above yellow, higher is better; where it is below, lower is.
    """

    green: float
    yellow: float
    measure: Text = "score"
    hours: Annotated[int, Meta(ge=1, le=8_760, description="of how long the dot is made")] = 168


class Touchpoint(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place where people meet the brand, or what makes that possible."""

    id: Id
    name: Text
    owner: Annotated[Text, Meta(description="who can do something about it")]
    deputy: Annotated[Text, Meta(description="who is told when the owner does nothing")]
    layer: Annotated[
        Layer, Meta(description="of the service blueprint; backstage and support are behind the line of visibility")
    ]
    unit: Annotated[Text, Meta(description="of the organisation")]
    channels: tuple[Channel, ...] = ()
    visible: Annotated[bool, Meta(description="whether the customer notices it")] = True
    control: Annotated[Literal["ours", "partner"], Meta(description="who runs it")] = "ours"
    partner: str = ""
    expects: Expects | None = None
    promise: Annotated[str, Meta(max_length=1_000, description="what we promise")] = ""
    thresholds: Thresholds | None = None
    n_min: Annotated[int, Meta(ge=1, le=100_000, description="with less evidence its dot is grey")] = 30
    when_red: Annotated[str, Meta(max_length=1_000, description="what to do")] = ""


class TouchpointsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """touchpoints.yaml"""

    touchpoints: tuple[Touchpoint, ...]


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A stage of a journey, and who is met there."""

    id: Id
    name: Text
    touchpoints: Annotated[tuple[Id, ...], Meta(min_length=1)]


class Journey(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The way of a persona through touchpoints towards a goal."""

    id: Id
    name: Text
    persona: Text
    goal: Text
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    edges: Annotated[tuple[tuple[Id, Id], ...], Meta(description="from step, to step")] = ()


class JourneysFile(Struct, frozen=True, forbid_unknown_fields=True):
    """journeys.yaml"""

    journeys: tuple[Journey, ...]


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """What the strategy wants of a figure."""

    name: Text
    measure: Text
    touchpoint: str = ""
    at_least: float | None = None
    at_most: float | None = None


class Strategy(Struct, frozen=True, forbid_unknown_fields=True):
    """What the business wants to be for its customers."""

    sentence: Text
    targets: tuple[Target, ...] = ()


class Issue(Struct, frozen=True, forbid_unknown_fields=True):
    """What people contact us about."""

    id: IssueId
    name: Text
    words: Annotated[tuple[Text, ...], Meta(description="a search with one of them is about this issue")] = ()


class ComplaintTimes(Struct, frozen=True, forbid_unknown_fields=True):
    """Hours after a complaint was received until it should have reached a stage."""

    acknowledged_h: Hours = 24
    assessed_h: Hours = 72
    investigated_h: Hours = 168
    responded_h: Hours = 240
    closed_h: Hours = 336


class ContactCosts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a contact costs the business, all in all, by its channel."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="such as EUR")]
    channels: Annotated[dict[Channel, Annotated[float, Meta(gt=0)]], Meta(description="of one contact there")]


class BusinessFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """business.yaml"""

    strategy: Strategy
    time_zone: Text
    issues: tuple[Issue, ...] = ()
    complaints: ComplaintTimes = ComplaintTimes()
    service_level_s: Annotated[
        float, Meta(gt=0, description="a call answered within that time was answered in time")
    ] = 20.0
    escalate_h: Annotated[Hours, Meta(description="an alert that nobody acknowledged goes to the deputy")] = 24.0
    segments: Annotated[
        tuple[Text, ...], Meta(description="properties and details by which experience is compared")
    ] = ()
    contact_costs: Annotated[
        ContactCosts | None, Meta(description="without it analyses show the time spent on contacts alone")
    ] = None


class Says(Struct, frozen=True, forbid_unknown_fields=True):
    """What something says of the dimensions."""

    effectiveness: Points | None = None
    ease: Points | None = None
    emotion: Points | None = None


class OutcomeSays(Struct, frozen=True, forbid_unknown_fields=True):
    """What the outcome of a contact says."""

    effectiveness: Points | None = None
    ease: Points | None = None
    emotion: Points | None = None
    resolved: bool | None = None
    queue: Annotated[
        Literal["answered", "abandoned", ""], Meta(description="what became of who waited; empty: not offered")
    ] = ""
    contact: Annotated[bool, Meta(description="false: nobody contacted us")] = True


class QuestionSays(Struct, frozen=True, forbid_unknown_fields=True):
    """A survey question: the dimension that it is about, and how its answers are counted."""

    dimension: Dimension | None = None
    metric: Metric = ""


class CurveFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Straight lines between points [measure, score], level beyond the ends."""

    measure: Text
    types: Annotated[tuple[Text, ...], Meta(min_length=1)]
    dimension: Dimension
    points: Annotated[tuple[tuple[float, Points], ...], Meta(min_length=1)]


class ScoresFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """scores.yaml, scores-2.yaml, …: one version of how interactions become scores."""

    version: Annotated[int, Meta(ge=1, lt=1 << 31)]
    half_life_days: Days = 30.0
    questions: dict[str, Dimension | QuestionSays] = {}
    constants: dict[str, Says] = {}
    curves: tuple[CurveFile, ...] = ()
    outcomes: dict[str, OutcomeSays] = {}
    contacts: Annotated[tuple[Text, ...], Meta(description="event types with which somebody contacts us")] = ()
    self_service: Annotated[tuple[Text, ...], Meta(description="event types with which they look for help")] = ()
    mild: Annotated[tuple[Text, ...], Meta(description="event types that are never severe by themselves")] = ()
    severe_below: Points = 20.0
    poor_below: Points = 50.0
    lately_days: Days = 30.0
    repeat_days: Days = 7.0


class PlaceholdersFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What sources send when they know nobody, in lower case."""

    values: tuple[Text, ...]
    before_at: tuple[Text, ...]


class MayLink(Struct, frozen=True, forbid_unknown_fields=True):
    """Which identifiers an event links to its strongest one."""

    default: tuple[Namespace, ...]
    public: tuple[Literal["anonymous", "device"], ...]
    sources: dict[str, tuple[Namespace, ...]] = {}


class IdentityFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """identity.yaml"""

    placeholders: PlaceholdersFile
    may_link: MayLink
    purposes: tuple[Text, ...]
    properties: tuple[Text, ...]
    traits: tuple[Text, ...]
    texts: tuple[Text, ...]
    staff: tuple[Text, ...]


#: File → what is in it. scores-<n>.yaml are of the shape of scores.yaml.
SHAPES: dict[str, type[Struct]] = {
    "business": BusinessFile,
    "touchpoints": TouchpointsFile,
    "journeys": JourneysFile,
    "scores": ScoresFile,
    "identity": IdentityFile,
}
