"""privacy: everything about a person on request, and forgetting it so that it does not come back, with a proof.

Part of the process that serves HTTP. `api` is the outside; `export` gathers; `erasures` keeps `erasing` going, step by
step, until there is a `proof`. `remains`, `known` and `letters` say what a record still holds of somebody; `reading`
shows them whole topics; `asking` has the stitch workers look through their state, `tables` and `rows` ClickHouse.

What it does not do: keep anything itself. The order and the proof are identify's, progress is found out by doing.

Decisions
- 2026-11-24 The proof is made by decoding, place by place, not by searching for bytes: a profile of the erased person
  holds their newest interactions too, and only decoded they can be told from those that are gone.
- 2026-11-24 What is from before is told by times and versions, never by when it was looked at: so events of the person
  may come in all the while, and neither get lost nor spoil the proof.
- 2026-11-24 Whole topics are read in processes of their own. In serve's loop that took the same time, and every other
  request waited for it.
- 2026-11-26 Each of these processes has some partitions of every topic, and heads and score rows of others are told by
  their keys: a store of a million interactions has some three million records in its topics, and one process that
  decoded them all took one and a half minutes.
- 2026-11-26 Standby copies are not looked through, but waited for: they are what the changelog says, and so what the
  owner had when that was looked through. What remains of deleted records in RocksDB's files is compacted away at once
  where a partition number has at most 1 GiB, else within a day.
- 2026-11-26 Memory is emptied, not looked through: caches hold no times. Processes that no erasure knows of see by
  themselves that there was an order.
- 2026-11-24 The topic `timelines` is trimmed for all persons when one is erased: a record in the middle of a topic
  cannot be taken out, and all there is of it is in ClickHouse by then. So is `outcomes`.
- 2026-11-24 Every process with this API works on what is not finished. A lease would need a place to be kept, and two
  that do the same disturb nobody.
- 2026-11-26 An export is whole, or says that it is not: `identify.everything` answers in pages where
  `identify.explain`, for people, stops. Its parts are gathered at the same time, a few pages ahead of whoever reads.
- 2026-11-24 An export reads identify's, stitch's and ClickHouse's answers, not the channel topics: they hold what
  sources sent for 30 days, and the summary says so.
"""
