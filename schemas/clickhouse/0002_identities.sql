-- Whose the interactions under an identifier are: absolute, replaced whole by each newer assignment.

CREATE TABLE IF NOT EXISTS identities
(
    identifier     String COMMENT 'the identifier that is assigned' CODEC(ZSTD(1)),
    session_id     String COMMENT 'empty: its main row; else one of its sessions that is settled apart' CODEC(ZSTD(1)),
    person         String COMMENT 'main row: whose it is from `until` on; session row: whose that session is' CODEC(ZSTD(1)),
    until          Nullable(DateTime64(3, 'UTC')) COMMENT 'what occurred before is earlier_person''s; null: one person for all times' CODEC(ZSTD(1)),
    earlier_person String COMMENT 'whose it was before `until`; empty where that is null' CODEC(ZSTD(1)),
    ambiguous      Bool COMMENT 'several persons may stand behind it',
    owners         Array(String) COMMENT 'the persons it is known to belong to, by first time' CODEC(ZSTD(1)),
    candidates     Array(String) COMMENT 'whom it may be, where ambiguous' CODEC(ZSTD(1)),
    assignment     UInt64 COMMENT 'the counter of the assignment, given by identify' CODEC(ZSTD(1)),
    version        UInt64 COMMENT 'layout epoch << 48 | offset of the output record: one for all rows of an assignment' CODEC(Delta(8), ZSTD(1)),

    INDEX person_bloom person TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX earlier_person_bloom earlier_person TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (identifier, session_id)
COMMENT 'Who is who. A session row counts only while its version is its main row''s: read it through identities_current.';
