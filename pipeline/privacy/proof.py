"""The proof of an erasure: where was looked and how, what was found, what remains, and what ages out until when.

It is kept for ever, so it holds nobody's data: counts, and names of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline import topics
from pipeline.domain.view import time_text
from pipeline.privacy.broker import Keeps
from pipeline.privacy.remains import Looked
from pipeline.privacy.scope import Scope

#: Topics whose records go with time alone: nothing may change what sources sent.
AGEING = topics.CHANNEL_TOPICS
#: Of these, all that was there is deleted; a segment that is still written to goes as a whole.
TRIMMED = (topics.TIMELINES, topics.INBOX, topics.EVIDENCE)
#: Of these, only the newest record of each key is read; what it replaced goes when the topic is compacted.
REPLACED = (
    topics.STITCH_CHANGELOG,
    topics.IDENTIFY_CHANGELOG,
    topics.IDENTITIES,
    topics.CUSTOMER_SCORES,
    topics.REJECTED,
    topics.ALERTS,
    topics.IDENTITY_ORDERS,
)
FOR_EVER = "for ever, as this topic is set at the broker"


class Place(msgspec.Struct, frozen=True):
    """Somewhere that was looked through."""

    place: str
    how: str
    looked: int  # records or rows
    found: dict[str, int]  # what was taken away from here by this request, by kind
    remaining: dict[str, int]  # what is still there from before, by kind: nothing
    unread: int = 0  # records that cannot be decoded


class Ageing(msgspec.Struct, frozen=True):
    """What nobody reads any more, or nobody may change, and when the last of it is gone."""

    place: str
    what: str
    until: str  # a time; where there is none, why


def of_topic(looked: Looked, taken: Mapping[str, Mapping[str, int]]) -> Place:
    """A topic that was read whole; `taken`: topic → what was taken back from it."""
    return Place(
        f"Kafka topic {looked.topic}",
        looked.how,
        looked.looked,
        dict(taken.get(looked.topic, {})),
        looked.remaining,
        looked.unread,
    )


def ageing(keeps: Mapping[str, Keeps], before: int, at: int, unread: int) -> list[Ageing]:
    """What of an erasure ages out in Kafka.

    `keeps`: what each topic is set to at the broker; `before`: what is from before is erased; `at`: when it was taken
    away (both ms); `unread`: dead letters that cannot be decoded.
    """
    found = []
    for topic in AGEING:
        what = "events as their sources sent them"
        found.append(Ageing(f"Kafka topic {topic.name}", what, _until(before, keeps[topic.name].retained_ms)))
    for topic in TRIMMED:
        what = "records that are deleted already, and cannot be read: until the broker drops their file"
        found.append(Ageing(f"Kafka topic {topic.name}", what, _until(at, keeps[topic.name].segment_ms)))
    for topic in REPLACED:
        what = "records that newer ones have replaced: until the broker compacts"
        found.append(Ageing(f"Kafka topic {topic.name}", what, _until(at, keeps[topic.name].compacted_ms)))
    if unread:
        what = f"{unread} dead letters that cannot be decoded, whoever's they are"
        found.append(
            Ageing(f"Kafka topic {topics.REJECTED.name}", what, _until(at, keeps[topics.REJECTED.name].retained_ms))
        )
    return found


def _until(since: int, kept_ms: int) -> str:
    return time_text(since + kept_ms) if kept_ms >= 0 else FOR_EVER


def proof(
    scope: Scope, at: int, places: Iterable[Place], ages_out: Iterable[Ageing], steps: list[dict[str, Any]]
) -> bytes:
    """The proof as JSON."""
    listed = list(places)
    remaining = [
        {"place": each.place, "kind": kind, "n": n} for each in listed for kind, n in sorted(each.remaining.items())
    ]
    said = {
        "request": scope.request,
        "before": time_text(scope.before),
        "finished": time_text(at),
        "blocked": scope.blocked,
        "identifiers": {"erased": len(scope.whole), "shared": len(scope.shared)},
        "places": [msgspec.to_builtins(each) for each in listed],
        "remaining": remaining,
        "ages_out": [msgspec.to_builtins(each) for each in ages_out],
        "steps": steps,
    }
    return msgspec.json.encode(said)
