"""store: what stitch and identify published, as rows in ClickHouse. Start reading at `main.py`.

Decisions
- 2026-11-24 The sink obeys tombstones (`rows.py`), and an erasure deletes by mutations (`mutations.py`, `erasing.py`):
  lightweight deletes would leave what is deleted in the files until some merge.
- 2026-11-24 Who refuses analysis is found when somebody asks, from copies of what was said of consent (the table
  `consents`), and not kept with the interactions: a word moves with its person, and would be in all of them.
- 2026-11-26 Observations are for collect and serve to write. Whoever else can write to their topic must not stop the
  sink of everything: each record is judged again (`judging.py`), and what cannot be used is a row of `rejected`.
- 2026-11-27 Outcomes go through no profile, since nothing of them is needed while somebody is served. So the sink
  itself hears who was erased (`erased.py`), before each batch: an outcome that is late or repeated brings nobody back.
"""
