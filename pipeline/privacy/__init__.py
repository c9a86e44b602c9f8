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
- 2026-11-24 Whole topics are read in a process of its own. In serve's loop that took the same time, and every other
  request waited for it.
- 2026-11-24 The topic `timelines` is trimmed for all persons when one is erased: a record in the middle of a topic
  cannot be taken out, and all there is of it is in ClickHouse by then.
- 2026-11-24 Every process with this API works on what is not finished. A lease would need a place to be kept, and two
  that do the same disturb nobody.
- 2026-11-24 An export reads identify's, stitch's and ClickHouse's answers, not the channel topics: they hold what
  sources sent for 30 days, and the summary says so.
"""
