"""collect: HTTP in, Kafka out. It answers 202 once the broker has the events, and never before.

app        the routes and what they need while the process runs
body       the request's bytes, bounded, unzipped
event      JSON of one event → the Avro event, or why not
collector  a request's events → records, verdicts, delivery
producer   records → Kafka, bounded, with what to do when it is away
reference  what /docs says about it
"""
