-- What analyses come to. Each computing has its own rows, and its row in analyses is stored last, so no query sees half of one.

CREATE TABLE IF NOT EXISTS analyses
(
    analysis_id String COMMENT 'hash of kind, version, definition, period, seed and parameters: the same again takes its place',
    kind        LowCardinality(String) COMMENT 'drivers, segments, link, paths, changes',
    version     UInt32 COMMENT 'of the method',
    definition  UInt32 COMMENT 'version of schemas/catalogue/scores.yaml',
    period_from Date COMMENT 'first day, by the clock of the business',
    period_to   Date COMMENT 'first day after it',
    computed_at DateTime64(3, 'UTC') COMMENT 'when: the newest computing counts' CODEC(Delta(8), ZSTD(1)),
    n           UInt64 COMMENT 'people, or what the analysis says it counts',
    seed        UInt32 COMMENT 'of what was drawn at random: with it every figure can be had again',
    parameters  Map(LowCardinality(String), String) COMMENT 'what it was told; of: which one of its kind it is',
    caveats     Array(String) COMMENT 'what to beware of, in words',
    refused     String COMMENT 'why there are no figures; empty: there are'
)
ENGINE = ReplacingMergeTree(computed_at)
ORDER BY analysis_id
COMMENT 'Analyses, without people. Read them through analyses_newest and the view of their kind.';

CREATE TABLE IF NOT EXISTS analysis_rows
(
    analysis_id String COMMENT 'of which analysis',
    computed_at DateTime64(3, 'UTC') COMMENT 'of which computing of it' CODEC(Delta(8), ZSTD(1)),
    position    UInt32 COMMENT 'from 1 on',
    item        String COMMENT 'id of the driver, segment, path, …',
    label       String COMMENT 'for people',
    figures     Map(LowCardinality(String), Nullable(Float64)) COMMENT 'name → number; null: nobody knows',
    notes       Map(LowCardinality(String), String) COMMENT 'name → words'
)
ENGINE = ReplacingMergeTree(computed_at)
ORDER BY (analysis_id, computed_at, position)
COMMENT 'Lines of analyses, of groups of at least 10 people. Read them through the view of their kind.';
