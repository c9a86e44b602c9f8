"""What one event costs a stitch worker outside the engine: decode, validate, advance, encode.

    python -m tests.benchmarks.stitch_micro [--events 200000] [--profiles 10000] [--batch 1000] [--profile] [--scoring]

Typical traffic: page views, searches and calls, 20 events per profile, one in five with evidence for a score, one in
twenty with a second identifier. State and outputs are in memory, so that nothing but our own work is measured.
`--profile` prints where the time goes instead; `--scoring` says how much of it goes into scores, against a worker that
has no definitions.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import platform
import pstats
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.catalogue import load
from pipeline.domain.identifiers import Keyring
from pipeline.domain.policy import Policy
from pipeline.domain.rules import Rules
from pipeline.domain.scoring import NO_SCORING
from pipeline.stitch.process import Stitch
from pipeline.topics import channel_topic
from pipeline.wire import Codec
from tests.fakes import FakeBatch, FakeRecord

SCHEMAS = Path(__file__).parents[2] / "schemas"
START = 1_700_000_000_000
MIX = (  # share, type, channel, touchpoint, what it says
    (0.48, "page_viewed", "web", "category_page", {"properties": {"page": "/shoes/blue"}}),
    (
        0.20,
        "product_viewed",
        "web",
        "product_page",
        {"properties": {"product": "p-4711", "product_name": "Blue shoes"}},
    ),
    (0.12, "page_viewed", "mobile", "app_home", {"properties": {"page": "start"}}),
    (0.12, "searched", "web", "site_search", {"properties": {"query": "blue shoes"}, "measures": {"results": 12.0}}),
    (0.05, "call_ended", "phone", "call_queue", {"measures": {"wait_s": 45.0, "handle_s": 180.0}}),
    (0.03, "goal_completed", "web", "returns_page", {"goal": "return blue shoes"}),
)
ENVELOPE: dict[str, Any] = {
    "session_id": "",
    "goal": "",
    "issue": "",
    "about": "",
    "items": [],
    "answer": None,
    "measures": {},
    "properties": {},
    "consent": {},
    "public": False,
    "details": None,
}


def events(codec: Codec, count: int, profiles: int) -> list[FakeRecord]:
    """Records of one partition, as the sources would send them."""
    chance = random.Random(7)
    shares = [each[0] for each in MIX]
    result = []
    for n, (_, kind, channel, touchpoint, says) in enumerate(chance.choices(MIX, shares, k=count)):
        who = chance.randrange(profiles)
        identifiers = {"customer": f"c{who:06}"} if who % 3 == 0 else {"anonymous": f"{who:032x}"}
        if chance.random() < 0.05:
            identifiers["device"] = f"d{who:06}"
        event = {
            **ENVELOPE,
            "event_id": f"{n:024x}",
            "source": "shop-web",
            "type": kind,
            "touchpoint": touchpoint,
            "occurred_at": START + n * 50,
            "sent_at": START + n * 50,
            "received_at": START + n * 50 + 20,
            "identifiers": identifiers,
            "session_id": f"s-{who}-{n * 4 // count}",
            **says,
        }
        value = codec.encode(f"interaction_{channel}", event)
        result.append(FakeRecord(channel_topic(channel), 0, n, START + n * 50 + 25, None, value))
    return result


def _run(
    codec: Codec,
    keyring: Keyring,
    rules: Rules,
    policy: Policy,
    records: list[FakeRecord],
    size: int,
    tracer: cProfile.Profile | None = None,
) -> tuple[float, dict[bytes, bytes], Counter[str]]:
    """Process all records: (CPU seconds, the state, how many records went to which topic)."""
    stitch = Stitch(codec, keyring, rules, 1, "US", seal=keyring.seal, policy=policy)
    data: dict[bytes, bytes] = {}
    cache: dict[str, object] = {}
    sent: Counter[str] = Counter()
    spent = 0.0
    for at in range(0, len(records), size):
        batch = FakeBatch(0, [], records[at : at + size], data, cache)
        began = time.process_time()
        if tracer is not None:
            tracer.enable()
        for _ in stitch.process(batch):
            pass
        if tracer is not None:
            tracer.disable()
        spent += time.process_time() - began
        sent.update(each.topic for each in batch.sent)
    return spent, data, sent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--scoring", action="store_true")
    given = parser.parse_args()

    codec = Codec(SCHEMAS)
    known = load(SCHEMAS / "catalogue")
    rules, policy = Rules(scoring=known.scoring), known.policy
    keyring = Keyring({"k1": bytes(32)}, "k1", sealing=bytes(32), placeholders=policy.placeholders)
    records = events(codec, given.events, given.profiles)
    gc.freeze()  # the records would not lie in memory all at once: the collector shall not count them
    if given.scoring:
        with_, without = (
            min(_run(codec, keyring, replace(rules, scoring=each), policy, records, given.batch)[0] for _ in range(3))
            for each in (rules.scoring, NO_SCORING)
        )
        each_us = 1e6 / given.events
        print(f"with scores {with_ * each_us:.1f} µs an event, without {without * each_us:.1f} µs")
        print(f"scoring takes {1 - without / with_:.0%} of the worker's time for an event (best of three)")
        return
    tracer = cProfile.Profile() if given.profile else None
    spent, data, sent = _run(codec, keyring, rules, policy, records, given.batch, tracer)
    print(f"{platform.machine()}, Python {platform.python_version()}, one process")
    print(f"{given.events:,} events, {given.profiles:,} profiles, batches of {given.batch:,}")
    print(f"{spent / given.events * 1e6:.1f} µs an event, {given.events / spent:,.0f} events/s")
    print(f"state: {len(data):,} keys, {sum(map(len, data)) + sum(map(len, data.values())):,} bytes")
    print("sent:", ", ".join(f"{topic} {n:,}" for topic, n in sorted(sent.items())))
    if tracer is not None:
        pstats.Stats(tracer).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
