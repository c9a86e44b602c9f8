"""collect: HTTP in, Kafka out. It answers 202 once the broker has the events, and never before.

app        the routes and what they need while the process runs
body       the request's bytes, bounded, unzipped
event      JSON of one event → the Avro event, or why not
observed   the same for one observation
outcome    the same for one outcome
strict     what they say of JSON that is not as it should be
collector  a request's events, observations or outcomes → records, verdicts, delivery
producer   records → Kafka, bounded, with what to do when it is away
reference  what /docs says about it (and reference_observations, reference_outcomes)

Decisions
- 2026-11-24 A request's key says whether its events are public, and is the only one to say so. Any origin may send with
  the public key; the answer to any other key says nothing to a page of another origin.
"""
