-- A person's scores at the end of a day, and touchpoint sums per 15 minutes.

CREATE TABLE IF NOT EXISTS customer_scores
(
    person             String COMMENT 'whose scores' CODEC(ZSTD(1)),
    day                Date COMMENT 'the day (UTC) at whose end they hold, or today',
    definition         UInt32 COMMENT 'version of schemas/catalogue/scores.yaml',
    effectiveness      Nullable(Float64) COMMENT '0 to 100, higher is better; null: no evidence' CODEC(ZSTD(1)),
    effectiveness_n    UInt32 COMMENT 'pieces of evidence; all three 0: this row is taken back',
    effectiveness_kind LowCardinality(String) COMMENT 'asked, observed, mixed, or empty',
    ease               Nullable(Float64) COMMENT '0 to 100, higher is better; null: no evidence' CODEC(ZSTD(1)),
    ease_n             UInt32 COMMENT 'pieces of evidence; all three 0: this row is taken back',
    ease_kind          LowCardinality(String) COMMENT 'asked, observed, mixed, or empty',
    emotion            Nullable(Float64) COMMENT '0 to 100, higher is better; null: no evidence' CODEC(ZSTD(1)),
    emotion_n          UInt32 COMMENT 'pieces of evidence; all three 0: this row is taken back',
    emotion_kind       LowCardinality(String) COMMENT 'asked, observed, mixed, or empty',
    version            UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (person, day, definition)
COMMENT 'Scores per person and day. The newest: customer_current.';

CREATE TABLE IF NOT EXISTS touchpoint_scores
(
    window_start             DateTime64(3, 'UTC') COMMENT 'start of the 15 minutes' CODEC(Delta(8), ZSTD(1)),
    touchpoint               LowCardinality(String) COMMENT 'where the interactions happened',
    channel                  LowCardinality(String) COMMENT 'in which channel',
    partition                UInt32 COMMENT 'where they are stored and counted: a cell has no meaning without its sisters',
    definition               UInt32 COMMENT 'version of schemas/catalogue/scores.yaml',
    interactions             UInt64 COMMENT 'all, with evidence or without' CODEC(ZSTD(1)),
    effectiveness_asked_n    UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    effectiveness_asked_sum  Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    effectiveness_asked_sum2 Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    effectiveness_observed_n UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    effectiveness_observed_sum Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    effectiveness_observed_sum2 Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    ease_asked_n             UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    ease_asked_sum           Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    ease_asked_sum2          Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    ease_observed_n          UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    ease_observed_sum        Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    ease_observed_sum2       Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    emotion_asked_n          UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    emotion_asked_sum        Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    emotion_asked_sum2       Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    emotion_observed_n       UInt64 COMMENT 'pieces of evidence' CODEC(ZSTD(1)),
    emotion_observed_sum     Float64 COMMENT 'their sum, of values 0 to 100' CODEC(ZSTD(1)),
    emotion_observed_sum2    Float64 COMMENT 'the sum of their squares' CODEC(ZSTD(1)),
    version                  UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(window_start)
ORDER BY (window_start, touchpoint, channel, partition, definition)
COMMENT 'Cells: absolute sums, each replaced by a newer one. Add them up only through touchpoint_hourly and touchpoint_daily.';
