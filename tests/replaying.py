"""A replay over the network in memory (tests/network.py): what ClickHouse would have stored, read and judged again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.domain import records
from pipeline.domain.consent import SPEAKING
from pipeline.domain.messages import Assignment, Judging, Message, encode, is_erased, receiver
from pipeline.domain.records import UNCOUNTED
from pipeline.domain.rules import Rules
from pipeline.domain.scoring import Scoring
from pipeline.partition import partition_of
from pipeline.rescore.history import interaction, numeric
from pipeline.rescore.replay import Stored, replay
from pipeline.topics import CUSTOMER_SCORES, IDENTITIES, INBOX, TIMELINES
from tests.network import PARTITIONS, Network

NUMBERS = numeric(Path(__file__).parents[1] / "schemas")


def stored(network: Network) -> list[Stored]:
    """All that is stored by now, in the order in which ClickHouse is asked for it."""
    found = []
    for record in network.outputs[TIMELINES.name].values():
        if record["definition"] == UNCOUNTED and not (record["consent"] and record["type"] in SPEAKING):
            continue
        answer = record["answer"]
        row = (
            *(owner(network, record), *(record[name] for name in ("identifier", "source", "event_id", "channel"))),
            *(record[name] for name in ("type", "touchpoint", "occurred_at", "received_at", "session_id", "issue")),
            record["about"],
            *(("", None, None, None) if answer is None else answer.values()),
            *(record[name] for name in ("measures", "details", "consent", "public", "definition")),
        )
        found.append(Stored(row[0], interaction(row, NUMBERS), record["definition"]))
    return sorted(found, key=lambda each: (each.person, *each.interaction.position, each.interaction.identifier))


def owner(network: Network, record: dict[str, Any]) -> str:
    """Whose an interaction is, as identities say it by now."""
    said = network.outputs[IDENTITIES.name].get(record["identifier"].encode())
    if said is None:
        return str(record["identifier"])
    assignment = Assignment(said["version"], tuple(said["owners"]), said["until"], said["sessions"])
    person = assignment.owner(record["identifier"], record["session_id"], record["occurred_at"])
    return record["identifier"] if is_erased(person) else person


def messages(network: Network, scoring: Scoring, rules: Rules, read_at: int = 1 << 50) -> list[Message]:
    """What a replay by that definition tells."""
    known = {
        (row["person"], row["day"]): row
        for row in network.outputs[CUSTOMER_SCORES.name].values()
        if row["definition"] == scoring.version
    }
    return list(replay(stored(network), scoring, rules.evidence, known, read_at))


def tell(network: Network, *told: Message) -> None:
    """Put messages on their way, in their order."""
    for message in told:
        numbers = range(PARTITIONS) if isinstance(message, Judging) else [partition_of(receiver(message), PARTITIONS)]
        for number in numbers:
            network.tell("rescore", number, INBOX.name, receiver(message).encode(), encode(message))


def taken(network: Network) -> None:
    """Go on until all that the replay has told was taken."""
    while network.waits("rescore"):
        network.run(1)


def heeded(network: Network) -> set[int]:
    """The numbers of what the partitions judge by."""
    found = (state.get(records.JUDGING) for state in network.states[:PARTITIONS])
    return {0 if data is None else records.decode_judging(data).number for data in found}
