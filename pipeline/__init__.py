"""Throughline: every interaction with a brand on one timeline per person.

Start reading here; this is the flow:

    collect   HTTP → Kafka `interactions.<channel>` (Avro; services may write it themselves), `observations`, `outcomes`
    stitch    a Faust agent files each interaction under its strongest identifier, keeps profiles, scores, rollups
    identify  a Faust agent decides who is who from the evidence, and tells the profiles
    store     timelines, identities, scores, observations, outcomes, changes → ClickHouse
    alert     looks at ClickHouse's views for what people should look at, and keeps what they did about it
    analyse   (a command) what drives experience and what it does to the business, out of ClickHouse and back into it
    serve     context, timeline, live stream, the desk: asked of the worker that owns the profile; a form for staff

`topics` is the same flow as data; `domain` holds the rules, `engine` makes each batch happen once.
"""
