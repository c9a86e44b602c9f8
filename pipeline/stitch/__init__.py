"""stitch: a Faust agent files each interaction with its profile and publishes what follows.

process   one batch: bytes → event → interaction → profile, and out again
definitions  by which definitions it judges: what is live, and what judges beside it
outputs   what is published for analysis, cleaned
main      the app around it, with what it announces
queries   what the worker answers about the profiles it owns (HTTP, for serve alone)
watch     who waits for which profile to change

Decisions
- 2026-11-23 `scores.customers` records go to the person's own partition number instead of the hash of their key: the
  order per key is the same, and nothing is hashed per row.
- 2026-11-23 A worker that owns a key and its person answers the context with the resolution: one hop instead of two.
- 2026-11-23 What a profile_updated says does not go to `timelines`: only the names of the traits. Traits may be
  personal, and the channel topics and the profile are the two places declared for that.
- 2026-11-24 `timelines` holds only the properties that the policy lists, masked texts and pseudonymous staff; of a
  profile_updated only listed names. The profile keeps all of it as it was sent.
- 2026-11-26 What became of each record is counted in the state, and published with each batch (`tallies`). It takes
  0.7 to 1.0 µs of an event's 156 µs. Of a transaction it takes little, not yet settled how little: medians of 17.1 and
  17.4 ms, means of 16.9 and 18.3 ms, alternating on a machine that did much else.
"""
