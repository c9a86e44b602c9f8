-- Contacts, observations, and what the catalogue says: for views that need no more than these.

CREATE TABLE IF NOT EXISTS contacts
(
    occurred_day  Date COMMENT 'as in interactions',
    identifier    String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    source        LowCardinality(String) COMMENT 'as in interactions',
    event_id      String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    session_id    String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    occurred_at   DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    received_at   DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    channel       LowCardinality(String) COMMENT 'as in interactions',
    type          LowCardinality(String) COMMENT 'as in interactions',
    touchpoint    LowCardinality(String) COMMENT 'as in interactions',
    issue         LowCardinality(String) COMMENT 'as in interactions',
    contact       LowCardinality(String) COMMENT 'contact, or self_service',
    resolved      Nullable(Bool) COMMENT 'what the contact itself claims; null: nothing' CODEC(ZSTD(1)),
    queue         LowCardinality(String) COMMENT 'where they waited; empty: not said',
    queue_outcome LowCardinality(String) COMMENT 'answered, abandoned; empty: they were not offered',
    wait_s        Nullable(Float64) COMMENT 'seconds in the queue; null: not said' CODEC(ZSTD(1)),
    handle_s      Nullable(Float64) COMMENT 'seconds with somebody; null: not said' CODEC(ZSTD(1)),
    outcome       LowCardinality(String) COMMENT 'what became of it, in the words of its source',
    consent       Map(LowCardinality(String), Bool) COMMENT 'as in interactions' CODEC(ZSTD(1)),
    version       UInt64 COMMENT 'of the row of interactions' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, identifier, source, event_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions with which somebody contacted us, or looked for help. Read it through contacts_resolved and queue_intervals.';

CREATE MATERIALIZED VIEW IF NOT EXISTS contacts_made TO contacts AS
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at, channel, type, touchpoint, issue, contact,
    resolved, details['queue'] AS queue, queue_outcome,
    coalesce(if(mapContains(measures, 'wait_s'), measures['wait_s'], NULL), toFloat64OrNull(details['wait_s'])) AS wait_s,
    coalesce(if(mapContains(measures, 'handle_s'), measures['handle_s'], NULL), toFloat64OrNull(details['handle_s'])) AS handle_s,
    details['outcome'] AS outcome, consent, version
FROM interactions
WHERE contact != ''
COMMENT 'Fills contacts with each block that is stored in interactions.';

ALTER TABLE interactions ADD INDEX IF NOT EXISTS event_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 4;

CREATE TABLE IF NOT EXISTS observations
(
    source         LowCardinality(String) COMMENT 'system or desk that says it; (source, observation_id) names it',
    observation_id String COMMENT 'its id there' CODEC(ZSTD(1)),
    touchpoint     LowCardinality(String) COMMENT 'what it is about',
    observed_at    DateTime64(3, 'UTC') COMMENT 'when it was so' CODEC(Delta(8), ZSTD(1)),
    kind           LowCardinality(String) COMMENT 'staff: somebody who works here says so; system: a machine does',
    measure        LowCardinality(String) COMMENT 'what was measured, with its unit in the name',
    value          Float64 COMMENT 'the value' CODEC(ZSTD(1)),
    note           String COMMENT 'in their words, masked; empty: none' CODEC(ZSTD(1)),
    received_at    DateTime64(3, 'UTC') COMMENT 'when it was received' CODEC(Delta(8), ZSTD(1)),
    version        UInt64 COMMENT 'layout epoch << 48 | offset of the record' CODEC(Delta(8), ZSTD(1)),

    INDEX observed_at_range observed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (touchpoint, source, observation_id)
COMMENT 'What lies behind the line of visibility, as staff and systems see it. Names no customer.';

CREATE TABLE IF NOT EXISTS catalogue_touchpoints
(
    touchpoint    LowCardinality(String) COMMENT 'its id',
    name          String COMMENT 'for people',
    channels      Array(LowCardinality(String)) COMMENT 'in which it is met',
    layer         LowCardinality(String) COMMENT 'evidence, customer, frontstage, backstage, support',
    visible       Bool COMMENT 'whether the customer notices it',
    control       LowCardinality(String) COMMENT 'ours, or partner',
    partner       String COMMENT 'who runs it, where it is not ours',
    owner         String COMMENT 'who can do something about it',
    deputy        String COMMENT 'who is told when the owner does nothing',
    unit          String COMMENT 'of the organisation',
    promise       String COMMENT 'what we promise',
    expects       String COMMENT 'measure of which the customer expects something; empty: nothing is said',
    target        Nullable(Float64) COMMENT 'what that measure should reach',
    lower_better  Bool COMMENT 'whether less of that measure is better',
    measure       String COMMENT 'what the dot is made of: score, or a measure of observations; empty: there is no dot',
    green         Nullable(Float64) COMMENT 'from there on the dot is green',
    yellow        Nullable(Float64) COMMENT 'from there on the dot is yellow; beyond it red',
    hours         UInt32 COMMENT 'of how long the dot is made',
    n_min         UInt32 COMMENT 'with less evidence the dot is grey',
    when_red      String COMMENT 'what to do',
    version       UInt64 COMMENT 'when the catalogue was loaded: only the newest rows count'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY touchpoint
COMMENT 'Touchpoints of the catalogue. Read it through touchpoints.';

CREATE TABLE IF NOT EXISTS catalogue_steps
(
    journey       LowCardinality(String) COMMENT 'id of the journey',
    journey_name  String COMMENT 'for people',
    step          LowCardinality(String) COMMENT 'id of the step',
    step_name     String COMMENT 'for people',
    position      UInt32 COMMENT 'from 1 on',
    touchpoints   Array(LowCardinality(String)) COMMENT 'who is met there',
    next          Array(LowCardinality(String)) COMMENT 'the steps that may follow',
    version       UInt64 COMMENT 'when the catalogue was loaded: only the newest rows count'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (journey, step)
COMMENT 'Steps of the journeys of the catalogue.';

CREATE TABLE IF NOT EXISTS catalogue_settings
(
    name     LowCardinality(String) COMMENT 'service_level_s, escalate_h, repeat_days, complaint_closed_h, …',
    value    Float64 COMMENT 'in the unit that the name says',
    texts    Array(String) COMMENT 'of lists: segments',
    version  UInt64 COMMENT 'when the catalogue was loaded: only the newest rows count'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
COMMENT 'Numbers and lists of the catalogue that views need.';
