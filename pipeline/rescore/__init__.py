"""rescore: all of history by another definition of the scores, beside the live one, and then in its place.

main        the command: what is told to whom, in which order
history     what ClickHouse has stored, person by person
replay      what the definition says of it: verdicts on events, rows of persons. Pure
mail        into the profiles' inboxes, no faster than they are read
difference  what would change, for people

    1 stitch is told to judge by both: what comes from now on is counted in the cells of either
    2 the replay: what was stored before, as messages to the profiles that hold it
    3 the difference is shown, and somebody agrees
    4 the switch: recorded, told to stitch, then to ClickHouse's views
    5 the replay again: scores of persons since 2, and single interactions get their evidence by the new definition

The command only reads ClickHouse and writes to the profiles' inboxes (and what is live to `definitions`, and to the
table of that name): cells, scores and interactions are published by stitch in its transactions, like all else. So
nothing is counted twice, whatever is killed and repeated, and nothing comes back that was erased meanwhile.

Guarantees
- From 2 on the cells of both definitions are exact at every moment: each says what a batch computation over all stored
  events says, also while events come late, twice or better than before. The former one is judged on beside the new one
  until a further one takes its place there; then its cells stand. A definition that is not judged stands as it is.
- At each step the command may be killed and called again; it goes on, or says that there is nothing to do.

What it does not do
- Issues that were read out of the words of a search stay as they were stored, and so do texts as masked: a definition
  speaks of types, outcomes, measures and answers, and those are stored as they were.
- What customers expect (touchpoints.yaml) has no versions: all is judged by what the catalogue says now.
- What had been erased when it ran is in the cells of the former definition alone: nothing is left to judge.
- Of identifiers with more interactions than a view holds (200), the older ones keep in `interactions` the evidence by
  the definition that stands beside it; cells and scores of persons have them. The same is true of all that is older
  than a state of stitch that was begun from nothing, which in addition is in no cell of the new definition.
- Rows of a person rest on their 50 newest pieces of evidence up to each day, as in a stream in the order of events.
  Where a person has more evidence, or more interactions than a view holds, the stream goes on from what it holds.

Decisions
- 2026-11-26 The replay goes through stitch instead of writing sums beside it: only stitch knows in one place which copy
  of an event counts, that it was erased, or that a better one came in this moment.
- 2026-11-26 A partition number changes its definitions by a message in its inbox, kept in its state: the switch is one
  transaction with what is judged behind it, needs no restart, and its end can be seen from outside (the position that
  stitch has committed). While it is under way, partition numbers differ for a moment in what context answers show.
- 2026-11-26 Both definitions are judged after the switch too, so that one can be compared with the other for as long as
  people like, and going back is another `rescore`.
"""
