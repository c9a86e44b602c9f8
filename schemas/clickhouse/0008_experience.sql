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
    contact       LowCardinality(String) COMMENT 'contact, or self_service; empty: neither, as it is judged now',
    resolved      Nullable(Bool) COMMENT 'what the contact itself claims; null: nothing' CODEC(ZSTD(1)),
    queue         LowCardinality(String) COMMENT 'where they waited; empty: not said',
    queue_outcome LowCardinality(String) COMMENT 'answered, abandoned; empty: they were not offered',
    wait_s        Nullable(Float64) COMMENT 'seconds in the queue; null: not said' CODEC(ZSTD(1)),
    handle_s      Nullable(Float64) COMMENT 'seconds with somebody; null: not said' CODEC(ZSTD(1)),
    outcome       LowCardinality(String) COMMENT 'what became of it, in the words of its source',
    consent       Map(LowCardinality(String), Bool) COMMENT 'as in interactions' CODEC(ZSTD(1)),
    version       UInt64 COMMENT 'of the row of interactions' CODEC(Delta(8), ZSTD(1)),

    INDEX occurred_at_range occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, identifier, source, event_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions with which somebody contacted us, or looked for help. Read it through contacts_resolved and queue_intervals.';

CREATE TABLE IF NOT EXISTS contact_types
(
    type LowCardinality(String) COMMENT 'event type'
)
ENGINE = ReplacingMergeTree
ORDER BY type
COMMENT 'Event types of which any was ever a contact, or looking for help.';

CREATE MATERIALIZED VIEW IF NOT EXISTS contact_types_seen TO contact_types AS
SELECT DISTINCT type
FROM interactions
WHERE contact != ''
COMMENT 'Fills contact_types with each block that is stored in interactions.';

-- Also what is none but of such a type: another definition may take back that something was a contact.
CREATE MATERIALIZED VIEW IF NOT EXISTS contacts_made TO contacts AS
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at, channel, type, touchpoint, issue, contact,
    resolved, details['queue'] AS queue, queue_outcome,
    coalesce(if(mapContains(measures, 'wait_s'), measures['wait_s'], NULL), toFloat64OrNull(details['wait_s'])) AS wait_s,
    coalesce(if(mapContains(measures, 'handle_s'), measures['handle_s'], NULL), toFloat64OrNull(details['handle_s'])) AS handle_s,
    details['outcome'] AS outcome, consent, version
FROM interactions
WHERE contact != '' OR type IN (SELECT type FROM contact_types)
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

ALTER TABLE touchpoint_scores
    ADD COLUMN IF NOT EXISTS csat_sum2 Float64 COMMENT 'sum of the squares of the answers on satisfaction, as 0 to 100' CODEC(ZSTD(1)) AFTER expected_gap_sum2,
    ADD COLUMN IF NOT EXISTS ces_sum2 Float64 COMMENT 'sum of the squares of the answers on effort' CODEC(ZSTD(1)) AFTER csat_sum2;

CREATE TABLE IF NOT EXISTS touchpoint_changes
(
    window_start DateTime64(3, 'UTC') COMMENT 'start of 15 minutes in which a cell has changed' CODEC(Delta(8), ZSTD(1)),
    partition    UInt32 COMMENT 'as in touchpoint_scores',
    version      UInt64 COMMENT 'of the newest of its cells' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(window_start)
ORDER BY (window_start, partition)
COMMENT 'Of which quarters cells have changed, and up to which version: from that views know which hours are summed up already.';

CREATE MATERIALIZED VIEW IF NOT EXISTS touchpoint_changed TO touchpoint_changes AS
SELECT window_start, partition, max(touchpoint_scores.version) AS version
FROM touchpoint_scores
GROUP BY window_start, partition
COMMENT 'Fills touchpoint_changes with each block that is stored in touchpoint_scores.';

INSERT INTO touchpoint_changes
SELECT window_start, partition, max(touchpoint_scores.version) AS version
FROM touchpoint_scores
GROUP BY window_start, partition;

CREATE TABLE IF NOT EXISTS touchpoint_hours
(
    zone                       LowCardinality(String) COMMENT 'time zone of the business by whose clock it is an hour',
    hour                       DateTime('UTC') COMMENT 'its start' CODEC(Delta(4), ZSTD(1)),
    touchpoint                 LowCardinality(String) COMMENT 'where the interactions happened',
    channel                    LowCardinality(String) COMMENT 'in which channel',
    definition                 UInt32 COMMENT 'the newest version of schemas/catalogue/scores.yaml that judged any of them',
    interactions               UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_asked_n      UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_asked_sum    Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_asked_sum2   Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_observed_n   UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_observed_sum Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    effectiveness_observed_sum2 Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_asked_n               UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_asked_sum             Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_asked_sum2            Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_observed_n            UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_observed_sum          Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ease_observed_sum2         Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_asked_n            UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_asked_sum          Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_asked_sum2         Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_observed_n         UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_observed_sum       Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    emotion_observed_sum2      Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    nps_n                      UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    nps_promoters              UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    nps_detractors             UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    csat_n                     UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    csat_satisfied             UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    csat_sum                   Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_n                      UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_sum                    Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_easy                   UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_very_easy              UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_hard                   UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    needs_met_n                UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    needs_met_high             UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    needs_met_low              UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    question_ease_n            UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    question_ease_high         UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    question_ease_low          UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    enjoyment_n                UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    enjoyment_high             UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    enjoyment_low              UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    expected_n                 UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    expected_met               UInt64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    expected_gap_sum           Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    expected_gap_sum2          Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    csat_sum2                  Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    ces_sum2                   Float64 COMMENT 'as in touchpoint_scores' CODEC(ZSTD(1)),
    through                    UInt64 COMMENT 'what touchpoint_hours_changed said before it was summed up' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, hour, touchpoint, channel)
COMMENT 'Hours that are over, summed up from cells by the process store, so that no query has to. Read it through touchpoint_sums.';

CREATE TABLE IF NOT EXISTS touchpoint_hours_made
(
    zone    LowCardinality(String) COMMENT 'as in touchpoint_hours',
    hour    DateTime('UTC') COMMENT 'as in touchpoint_hours' CODEC(Delta(4), ZSTD(1)),
    through UInt64 COMMENT 'as in touchpoint_hours' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, hour)
COMMENT 'Which hours of touchpoint_hours are whole.';
