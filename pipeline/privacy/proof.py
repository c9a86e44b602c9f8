"""The proof of an erasure: where was looked and how, what was found, what remains, and what ages out until when.

It is kept for ever, so it holds nobody's data: counts, and names of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pipeline import topics
from pipeline.domain.view import time_text
from pipeline.engine.store import FILES_S_MAX
from pipeline.privacy.broker import Keeps
from pipeline.privacy.remains import Looked
from pipeline.privacy.scope import Scope

#: Topics whose records go with time alone: nothing may change what sources sent.
AGEING = topics.CHANNEL_TOPICS
#: Of these, all that was there is deleted; a segment that is still written to goes as a whole.
TRIMMED = (topics.TIMELINES, topics.OUTCOMES, topics.INBOX, topics.EVIDENCE, topics.ALERT_ACTIONS)
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
OTHERS_S_MAX = 60  # twice as often other processes look whether there is something to forget
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


def of_workers(tidied: Sequence[Mapping[str, Any]]) -> list[Place]:
    """What the workers that keep state, identify among them, have taken away that is not in it."""
    if not tidied:
        return []
    copies = sum(len(each["copies"]) for each in tidied)
    dropped = sum(each["dropped"] for each in tidied)
    files = sum(each["compacted"] for each in tidied)
    followed = "each has followed the changelog to where its owner was when that was looked through"
    compacted = "compacted, so that they hold nothing but the state; of partitions that others have by now, deleted"
    return [
        Place("stitch's state, standby copies", followed, copies, {}, {}),
        Place(
            "files of the workers' state",
            compacted,
            files + dropped,
            {"state of others": dropped} if dropped else {},
            {},
        ),
        Place(
            "memory of the workers", "caches of identifiers emptied", sum(each["forgotten"] for each in tidied), {}, {}
        ),
    ]


def elsewhere(tidied: Sequence[Mapping[str, Any]], workers: int, at: int) -> list[Ageing]:
    """What of an erasure ages out in other processes. `workers`: of stitch, also those that own nothing and do not
    answer; `at`: when everything was looked through (ms).
    """
    found = [
        Ageing(
            "memory of other processes that serve HTTP",
            "caches of what is known of phone numbers and e-mail addresses: until they see that there was an order",
            _until(at, OTHERS_S_MAX * 1000),
        ),
        Ageing(
            "files of identify's state",
            "whom the request concerned, which identify forgets as it keeps this proof: compacted then, or until",
            _until(at, FILES_S_MAX * 1000),
        ),
        Ageing(
            "disks of workers that do not run",
            "state that nobody reads: brought up to date or made anew before anybody does",
            "such a worker starts again, or its folder is deleted (`throughline up` does that where there are fewer)",
        ),
    ]
    if any(each["later"] for each in tidied):
        what = "files with records that are deleted, and not read: too many to be compacted at once"
        found.append(Ageing("files of the workers' state", what, _until(at, FILES_S_MAX * 1000)))
    idle = workers - (len(tidied) - 1)  # identify is not one of them
    if idle > 0:
        what = f"copies of {idle} workers, which follow the changelog; nobody asked how far they are"
        found.append(Ageing("stitch's state, workers that own nothing", what, _until(at, FILES_S_MAX * 1000)))
    return found


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
