"""What stitch publishes for analysis: interactions and scores as records of their Avro schemas.

Guarantees of `timelines`, and so of ClickHouse: no e-mail address, phone, card or bank number stands in a text of it
(`domain.texts`), of properties there are those that the policy lists, nobody who works here has a name, and of what a
profile update says there is nothing but names. Who serves the person sees all of it: from the stream's state, not from
here.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Interaction
from pipeline.domain.policy import Policy
from pipeline.domain.scores import ScoreRow
from pipeline.domain.scoring import CONTACT_KINDS, DIMENSIONS, NOTHING, Experience
from pipeline.domain.staff import Staff
from pipeline.domain.texts import holds, masked, masked_code

_NOTHING_SEEN: dict[str, float | None] = dict.fromkeys(DIMENSIONS)


class Outputs:
    """Makes records by one policy; make it once."""

    def __init__(self, keyring: Keyring, policy: Policy, region: str) -> None:
        """`region` reads phone numbers without country prefix."""
        self._region = region
        self._traits = policy.traits
        self._staff = Staff(keyring.pseudonym, policy.staff)
        self._texts = policy.texts
        self._properties = {name: masked if name in policy.texts else masked_code for name in policy.properties}

    def entry(self, x: Interaction, experience: Experience | None, definition: int) -> dict[str, Any]:
        """An interaction as a record of the schema timeline_entry. `definition` has judged it, or is UNCOUNTED."""
        answer, region = x.answer, self._region
        return {
            "identifier": x.identifier,
            "source": x.source,
            "event_id": x.event_id,
            "channel": x.channel,
            "type": x.type,
            "touchpoint": x.touchpoint,
            "occurred_at": x.occurred_at,
            "occurred_at_sent": x.occurred_at_sent,
            "received_at": x.received_at,
            "session_id": x.session_id,
            "goal": masked(x.goal, region) if x.goal else "",
            "issue": masked(x.issue, region) if x.issue else "",
            "about": x.about,
            "links": x.links,
            "masks": x.masks,
            "items": [
                {
                    "product": masked_code(i.product, region),
                    "quantity": i.quantity,
                    "price": i.price,
                    "name": masked(i.name, region),
                }
                for i in x.items
            ]
            if x.items
            else (),
            "answer": None
            if answer is None
            else {
                "question": masked_code(answer.question, region),
                "value": answer.value,
                "min": answer.min,
                "max": answer.max,
            },
            "measures": self._measures(x.measures) if x.measures else x.measures,
            "properties": self._stored(x) if x.properties else x.properties,
            "details": {name: self._detail(name, value) for name, value in x.details.items()}
            if x.details
            else x.details,
            "consent": x.consent,
            "public": x.public,
            "evidence": _NOTHING_SEEN
            if experience is None
            else {
                "effectiveness": experience.effectiveness,
                "ease": experience.ease,
                "emotion": experience.emotion,
            },
            "evidence_kind": "" if experience is None or experience.values == NOTHING else _kind(experience),
            "definition": definition,
            "expected_gap": None if experience is None else experience.gap,
            "contact": "" if experience is None else CONTACT_KINDS[experience.contact],
            "resolved": None if experience is None else experience.resolved,
            "severe": experience is not None and experience.severe,
            "queue_outcome": "" if experience is None else experience.queue,
        }

    def _measures(self, measures: dict[str, float]) -> dict[str, float]:
        """Without those whose names are personal: what they count, nobody can say who may not read it."""
        for name in measures:
            if holds(name, self._region):
                return {name: value for name, value in measures.items() if not holds(name, self._region)}
        return measures

    def _stored(self, x: Interaction) -> dict[str, str]:
        """The properties that may be stored, cleaned. A name in a list of the policy is none of a person's."""
        if x.type == "profile_updated":
            return {name: "" for name in x.properties if name in self._traits}
        clean, region = self._properties, self._region
        return {name: clean[name](value, region) for name, value in x.properties.items() if name in clean}

    def _detail(self, name: str, value: str | int | float | bool) -> str:
        """A value of the details: true, 3, 2.5, and texts cleaned."""
        if self._staff.names(name):
            return self._staff.name(value)
        if isinstance(value, str):
            return (masked if name in self._texts else masked_code)(value, self._region)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return str(value)


def _kind(experience: Experience) -> str:
    return "asked" if experience.asked else "observed"


def score(row: ScoreRow) -> dict[str, Any]:
    """A row as a record of the schema customer_score."""
    record: dict[str, Any] = {"person": row.person, "day": row.day, "definition": row.definition}
    for dimension, known in zip(DIMENSIONS, row.scores.dimensions, strict=True):
        record[dimension] = known.value
        record[f"{dimension}_n"] = known.n
        record[f"{dimension}_kind"] = known.kind
    told = row.scores
    record["overall"], record["overall_n"], _ = told.overall
    record["worst_touchpoint"], record["worst_value"], record["worst_n"] = told.worst
    record["gap"], record["gap_n"] = told.gap
    record["trend"], *trend, record["trend_n"] = told.trend
    record["trend_value"], record["trend_low"], record["trend_high"] = trend
    record["at_risk"], record["at_risk_reason"] = told.risk != "", told.risk
    record["repeat_contacts"] = told.repeats
    return record
