"""serve: context for whoever talks to a customer, a live stream of it, who is who and why, and the agent desk.

Asks the stitch worker that owns a profile, and identify (one hop), never keeps profiles itself. `api`, `identity` and
`desk` are the outside, `lookup` says who is meant, `workers`, `identify` and `routing` find whoever knows, `live`
watches, `calls` knows who is ringing, `orders` lets people decide about identity, `alerts` and `alerting` show what
alert keeps and pass on what people do about it, `audit` keeps who looked at whom. Of the desk, `seat` says who sits
there, `desk_stream` keeps a page current, `desk_forms` and `noting` take what agents say, `framed` and `passes` show a
card in another tool's page.
`observe` is a form in which staff say what they see of a touchpoint.
`map` draws journeys from the catalogue and ClickHouse's figures (`choice` is what somebody wants to see, `figures`
asks, `drawing`, `mermaid` and `said` are how it looks), `touchpoints` shows who owns what, `digest` tells a week.

Decisions
- 2026-11-24 What is not on record in Kafka is not given: see `audit`. It costs a lookup the broker's acknowledgement
  (2 ms here); purposes and reasons are masked before they are kept, identifiers sealed.
- 2026-11-24 An order that is in the log counts, whatever becomes of the request: 200 when every profile that it
  concerns has heard of it, 202 with what is outstanding after 5 s, 409 where identify refuses it. The same
  `Idempotency-Key` from the same key gives the same order_id, and so is given once.
- 2026-11-24 Why identifiers belong together is asked of identify only when an agent opens that part of the card: a
  card changes several times a second, and there is one identify.
- 2026-11-27 The extension and the verified callers of a desk are in its signed cookie, as the session is: a restart
  signs nobody out and asks nobody again, and any of several serve processes knows them. A page shows a caller who is
  not verified without what is hidden, and not with it hidden.
- 2026-11-27 How people go through a journey is counted in the background and shown with its time (`counting`), not
  summed up ahead: whose an interaction is changes with every link, and sums of persons cannot be put right. Over
  10,000,000 interactions a count takes some ten seconds; the map is there at once, and the count when it is done.
- 2026-11-24 Whoever was erased is `erased` in every answer: somebody, and nobody who can be told from another.
"""
