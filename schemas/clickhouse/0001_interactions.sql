-- Every interaction as stored, under the identifier it belongs to; whose it is, is joined at query time (README.md).

CREATE TABLE IF NOT EXISTS interactions
(
    occurred_day     Date COMMENT 'day (UTC) of occurred_at_sent, which is the same in every copy; kept within 1990 to 2105',
    identifier       String COMMENT 'the strongest one of the event; phone and e-mail in their keyed form' CODEC(ZSTD(1)),
    source           LowCardinality(String) COMMENT 'system that sent the event; (source, event_id) names it',
    event_id         String COMMENT 'its id there' CODEC(ZSTD(1)),
    channel          LowCardinality(String) COMMENT 'web, mobile, phone, in_store, chat, message, partner',
    type             LowCardinality(String) COMMENT 'what happened: searched, call_ended, order_placed, …',
    touchpoint       LowCardinality(String) COMMENT 'where: site search, checkout, call queue, …',
    occurred_at      DateTime64(3, 'UTC') COMMENT 'when it happened, corrected by the clock of the source' CODEC(Delta(8), ZSTD(1)),
    occurred_at_sent DateTime64(3, 'UTC') COMMENT 'when it happened, as the source said it' CODEC(Delta(8), ZSTD(1)),
    received_at      DateTime64(3, 'UTC') COMMENT 'when the copy that counts (the earliest) was received' CODEC(Delta(8), ZSTD(1)),
    session_id       String COMMENT 'visit, call or chat; empty: none' CODEC(ZSTD(1)),
    goal             LowCardinality(String) COMMENT 'what the person wanted to reach; empty: not said',
    issue            LowCardinality(String) COMMENT 'what a contact or complaint is about; empty: not said',
    about            String COMMENT 'event_id that a survey, complaint or note speaks of; empty: none' CODEC(ZSTD(1)),
    links            Array(String) COMMENT 'the weaker identifiers of the event, strongest first' CODEC(ZSTD(1)),
    masks            Map(String, String) COMMENT 'identifier → what people may see of it (phone and e-mail)' CODEC(ZSTD(1)),
    items            Array(Tuple(product String, quantity Float64, price Nullable(Float64), name String))
                     COMMENT 'lines of a cart or an order; price of one piece, null: not said' CODEC(ZSTD(1)),
    answer_question  LowCardinality(String) COMMENT 'survey question; empty: no answer in this event',
    answer_value     Nullable(Float64) COMMENT 'the answer, between answer_min and answer_max; null: no answer' CODEC(ZSTD(1)),
    answer_min       Nullable(Float64) COMMENT 'lowest possible answer' CODEC(ZSTD(1)),
    answer_max       Nullable(Float64) COMMENT 'highest possible answer' CODEC(ZSTD(1)),
    measures         Map(LowCardinality(String), Float64) COMMENT 'name → number, in the unit that the name says' CODEC(ZSTD(1)),
    properties       Map(LowCardinality(String), String) COMMENT 'name → text; of profile_updated the names only' CODEC(ZSTD(1)),
    details          Map(LowCardinality(String), String) COMMENT 'the own fields of the channel, as text' CODEC(ZSTD(1)),
    consent          Map(LowCardinality(String), Bool) COMMENT 'purpose → given or not' CODEC(ZSTD(1)),
    effectiveness    Nullable(Float64) COMMENT 'did they reach their goal: 0 to 100, higher is better; null: not seen' CODEC(ZSTD(1)),
    ease             Nullable(Float64) COMMENT 'how little effort did it take: 0 to 100; null: not seen' CODEC(ZSTD(1)),
    emotion          Nullable(Float64) COMMENT 'how did it feel: 0 to 100; null: not seen' CODEC(ZSTD(1)),
    evidence_kind    LowCardinality(String) COMMENT 'asked, observed, or empty where there is no evidence',
    version          UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1)),

    INDEX occurred_at_range occurred_at TYPE minmax GRANULARITY 1,
    INDEX identifier_bloom identifier TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
-- By year, not by month: a source whose clocks are wild can touch each partition with each block.
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, identifier, source, event_id)
COMMENT 'Interactions, as stored. Read it through interactions_by_person, or with FINAL.';
