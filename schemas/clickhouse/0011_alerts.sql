-- Who has to do what about an alert, and the words on complaints.

ALTER TABLE alerts
    MODIFY COLUMN kind LowCardinality(String) COMMENT 'threshold, severe, complaint_overdue, control_limit, ask_again; stands_alone: evidence about an identifier counts no more, because of a cap',
    MODIFY COLUMN subject String COMMENT 'of stands_alone: the identifier; phone and e-mail in their keyed form' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS state LowCardinality(String) COMMENT 'open, acknowledged, resolved; empty: as closed_at says' AFTER closed_at,
    ADD COLUMN IF NOT EXISTS cause String COMMENT 'what names the cause among those of its kind and identifier' CODEC(ZSTD(1)) AFTER state,
    ADD COLUMN IF NOT EXISTS touchpoint LowCardinality(String) COMMENT 'where; empty: nowhere' AFTER cause,
    ADD COLUMN IF NOT EXISTS identifier String COMMENT 'under which what it is about is stored; empty: it is about nobody' CODEC(ZSTD(1)) AFTER touchpoint,
    ADD COLUMN IF NOT EXISTS person String COMMENT 'whose that is, as it was known then' CODEC(ZSTD(1)) AFTER identifier,
    ADD COLUMN IF NOT EXISTS since Nullable(DateTime64(3, 'UTC')) COMMENT 'the first sign of what it is about; null: there is none' CODEC(ZSTD(1)) AFTER person,
    ADD COLUMN IF NOT EXISTS owner LowCardinality(String) COMMENT 'who can do something about it' AFTER since,
    ADD COLUMN IF NOT EXISTS deputy LowCardinality(String) COMMENT 'who is told when the owner does nothing' AFTER owner,
    ADD COLUMN IF NOT EXISTS what_to_do String COMMENT 'in plain words' CODEC(ZSTD(1)) AFTER deputy,
    ADD COLUMN IF NOT EXISTS value Nullable(Float64) COMMENT 'what was measured; null: nothing' CODEC(ZSTD(1)) AFTER what_to_do,
    ADD COLUMN IF NOT EXISTS low Nullable(Float64) COMMENT 'lower end of its 95 % interval, or the lower limit' CODEC(ZSTD(1)) AFTER value,
    ADD COLUMN IF NOT EXISTS high Nullable(Float64) COMMENT 'upper end of it, or the upper limit' CODEC(ZSTD(1)) AFTER low,
    ADD COLUMN IF NOT EXISTS n UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)) AFTER high,
    ADD COLUMN IF NOT EXISTS acknowledged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when somebody took it; null: nobody has' CODEC(ZSTD(1)) AFTER n,
    ADD COLUMN IF NOT EXISTS acknowledged_by LowCardinality(String) COMMENT 'name of the API key or desk session' AFTER acknowledged_at,
    ADD COLUMN IF NOT EXISTS escalated_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it went to the deputy; null: it has not' CODEC(ZSTD(1)) AFTER acknowledged_by,
    ADD COLUMN IF NOT EXISTS note String COMMENT 'what was said of it, masked' CODEC(ZSTD(1)) AFTER escalated_at,
    ADD COLUMN IF NOT EXISTS resolved_by LowCardinality(String) COMMENT 'name of the API key or desk session; empty: it ended by itself' AFTER note,
    ADD COLUMN IF NOT EXISTS resolution String COMMENT 'why it was resolved' CODEC(ZSTD(1)) AFTER resolved_by,
    ADD COLUMN IF NOT EXISTS ceased_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when its cause was over; null: as far as is known it holds' CODEC(ZSTD(1)) AFTER resolution,
    ADD COLUMN IF NOT EXISTS updated_at DateTime64(3, 'UTC') COMMENT 'when it changed last' CODEC(Delta(8), ZSTD(1)) AFTER ceased_at;

CREATE TABLE IF NOT EXISTS complaints
(
    occurred_day Date COMMENT 'as in interactions',
    identifier   String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    source       LowCardinality(String) COMMENT 'as in interactions',
    event_id     String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    session_id   String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    occurred_at  DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    received_at  DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    channel      LowCardinality(String) COMMENT 'as in interactions',
    type         LowCardinality(String) COMMENT 'complaint_opened, complaint_acknowledged, … complaint_closed',
    touchpoint   LowCardinality(String) COMMENT 'as in interactions',
    issue        LowCardinality(String) COMMENT 'as in interactions',
    complaint    String COMMENT 'which of the complaints of a person it is a word on: complaint_id, else issue, else the event that it is about' CODEC(ZSTD(1)),
    root_cause   String COMMENT 'why it arose, as whoever closed it says' CODEC(ZSTD(1)),
    next_step    String COMMENT 'what is done about it, as whoever closed it says' CODEC(ZSTD(1)),
    consent      Map(LowCardinality(String), Bool) COMMENT 'as in interactions' CODEC(ZSTD(1)),
    version      UInt64 COMMENT 'of the row of interactions' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, identifier, source, event_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions that are words on a complaint. Read it through complaint_times.';

CREATE MATERIALIZED VIEW IF NOT EXISTS complaints_told TO complaints AS
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at, channel, type, touchpoint, issue,
    multiIf(
        properties['complaint_id'] != '', properties['complaint_id'],
        issue != '', issue,
        type != 'complaint_opened' AND about != '', about,
        event_id
    ) AS complaint,
    properties['root_cause'] AS root_cause, properties['next_step'] AS next_step, consent, version
FROM interactions
WHERE startsWith(type, 'complaint_')
COMMENT 'Fills complaints with each block that is stored in interactions.';

INSERT INTO complaints
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at, channel, type, touchpoint, issue,
    multiIf(
        properties['complaint_id'] != '', properties['complaint_id'],
        issue != '', issue,
        type != 'complaint_opened' AND about != '', about,
        event_id
    ) AS complaint,
    properties['root_cause'] AS root_cause, properties['next_step'] AS next_step, consent, version
FROM interactions
WHERE startsWith(type, 'complaint_');
