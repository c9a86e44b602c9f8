-- What a definition says beyond the three dimensions: survey metrics and expectations, a person's figures, contacts.

ALTER TABLE interactions
    ADD COLUMN IF NOT EXISTS definition Int32 DEFAULT 0 COMMENT 'version of the scores that judged it; -1: it refuses analysis, and no cell counts it' CODEC(ZSTD(1)) AFTER evidence_kind,
    ADD COLUMN IF NOT EXISTS expected_gap Nullable(Float64) COMMENT 'how much worse than expected, in the unit of the measure; negative: better; null: nothing expected or seen' CODEC(ZSTD(1)) AFTER definition,
    ADD COLUMN IF NOT EXISTS contact LowCardinality(String) COMMENT 'contact: somebody contacted us; self_service: they looked for help themselves; empty: neither' AFTER expected_gap,
    ADD COLUMN IF NOT EXISTS resolved Nullable(Bool) COMMENT 'what the contact itself claims; null: nothing. Whether it held: contacts_resolved' CODEC(ZSTD(1)) AFTER contact,
    ADD COLUMN IF NOT EXISTS severe Bool DEFAULT false COMMENT 'so bad that this one alone puts the person at risk' CODEC(ZSTD(1)) AFTER resolved,
    ADD COLUMN IF NOT EXISTS queue_outcome LowCardinality(String) COMMENT 'of who waited in a queue: answered, abandoned; empty: they were not offered' AFTER severe;

ALTER TABLE customer_scores
    ADD COLUMN IF NOT EXISTS overall Nullable(Float64) COMMENT 'mean of the known dimensions; null: none is known' CODEC(ZSTD(1)) AFTER emotion_kind,
    ADD COLUMN IF NOT EXISTS overall_n UInt32 COMMENT 'pieces of evidence of all dimensions' AFTER overall,
    ADD COLUMN IF NOT EXISTS worst_touchpoint LowCardinality(String) COMMENT 'the touchpoint that served them worst in the last 30 days; empty: none was poor' AFTER overall_n,
    ADD COLUMN IF NOT EXISTS worst_value Nullable(Float64) COMMENT 'its mean, 0 to 100' CODEC(ZSTD(1)) AFTER worst_touchpoint,
    ADD COLUMN IF NOT EXISTS worst_n UInt32 COMMENT 'experiences there' AFTER worst_value,
    ADD COLUMN IF NOT EXISTS gap Nullable(Float64) COMMENT 'mean of how much better than expected, in percent of what was: -100 to 100' CODEC(ZSTD(1)) AFTER worst_n,
    ADD COLUMN IF NOT EXISTS gap_n UInt32 COMMENT 'experiences of which something was expected' AFTER gap,
    ADD COLUMN IF NOT EXISTS trend LowCardinality(String) COMMENT 'rising, falling, steady; empty: too little evidence' AFTER gap_n,
    ADD COLUMN IF NOT EXISTS trend_value Nullable(Float64) COMMENT 'moving average of their experiences, 0 to 100' CODEC(ZSTD(1)) AFTER trend,
    ADD COLUMN IF NOT EXISTS trend_low Nullable(Float64) COMMENT 'below it the trend is falling' CODEC(ZSTD(1)) AFTER trend_value,
    ADD COLUMN IF NOT EXISTS trend_high Nullable(Float64) COMMENT 'above it the trend is rising' CODEC(ZSTD(1)) AFTER trend_low,
    ADD COLUMN IF NOT EXISTS trend_n UInt32 COMMENT 'experiences that the trend is made of' AFTER trend_high,
    ADD COLUMN IF NOT EXISTS at_risk Bool COMMENT 'whether the person may leave' AFTER trend_n,
    ADD COLUMN IF NOT EXISTS at_risk_reason LowCardinality(String) COMMENT 'why, in plain words' AFTER at_risk,
    ADD COLUMN IF NOT EXISTS repeat_contacts UInt32 COMMENT 'contacts about an issue they had contacted us about, or looked for help with, in the 7 days before' AFTER at_risk_reason;

ALTER TABLE touchpoint_scores
    ADD COLUMN IF NOT EXISTS nps_n UInt64 COMMENT 'answers 0 to 10 to the question whether they would recommend us' CODEC(ZSTD(1)) AFTER emotion_observed_sum2,
    ADD COLUMN IF NOT EXISTS nps_promoters UInt64 COMMENT 'of them 9 or 10' CODEC(ZSTD(1)) AFTER nps_n,
    ADD COLUMN IF NOT EXISTS nps_detractors UInt64 COMMENT 'of them 0 to 6' CODEC(ZSTD(1)) AFTER nps_promoters,
    ADD COLUMN IF NOT EXISTS csat_n UInt64 COMMENT 'answers on satisfaction' CODEC(ZSTD(1)) AFTER nps_detractors,
    ADD COLUMN IF NOT EXISTS csat_satisfied UInt64 COMMENT 'of them in the upper two of five' CODEC(ZSTD(1)) AFTER csat_n,
    ADD COLUMN IF NOT EXISTS csat_sum Float64 COMMENT 'their sum as 0 to 100' CODEC(ZSTD(1)) AFTER csat_satisfied,
    ADD COLUMN IF NOT EXISTS ces_n UInt64 COMMENT 'answers 1 to 7 on effort, 7 the easiest' CODEC(ZSTD(1)) AFTER csat_sum,
    ADD COLUMN IF NOT EXISTS ces_sum Float64 COMMENT 'their sum' CODEC(ZSTD(1)) AFTER ces_n,
    ADD COLUMN IF NOT EXISTS ces_easy UInt64 COMMENT 'of them 5 to 7' CODEC(ZSTD(1)) AFTER ces_sum,
    ADD COLUMN IF NOT EXISTS ces_very_easy UInt64 COMMENT 'of them 6 or 7' CODEC(ZSTD(1)) AFTER ces_easy,
    ADD COLUMN IF NOT EXISTS ces_hard UInt64 COMMENT 'of them 1 to 3' CODEC(ZSTD(1)) AFTER ces_very_easy,
    ADD COLUMN IF NOT EXISTS needs_met_n UInt64 COMMENT 'answers 1 to 5 on whether needs were met' CODEC(ZSTD(1)) AFTER ces_hard,
    ADD COLUMN IF NOT EXISTS needs_met_high UInt64 COMMENT 'of them 4 or 5' CODEC(ZSTD(1)) AFTER needs_met_n,
    ADD COLUMN IF NOT EXISTS needs_met_low UInt64 COMMENT 'of them 1 or 2' CODEC(ZSTD(1)) AFTER needs_met_high,
    ADD COLUMN IF NOT EXISTS question_ease_n UInt64 COMMENT 'answers 1 to 5 on how easy it was' CODEC(ZSTD(1)) AFTER needs_met_low,
    ADD COLUMN IF NOT EXISTS question_ease_high UInt64 COMMENT 'of them 4 or 5' CODEC(ZSTD(1)) AFTER question_ease_n,
    ADD COLUMN IF NOT EXISTS question_ease_low UInt64 COMMENT 'of them 1 or 2' CODEC(ZSTD(1)) AFTER question_ease_high,
    ADD COLUMN IF NOT EXISTS enjoyment_n UInt64 COMMENT 'answers 1 to 5 on how enjoyable it was' CODEC(ZSTD(1)) AFTER question_ease_low,
    ADD COLUMN IF NOT EXISTS enjoyment_high UInt64 COMMENT 'of them 4 or 5' CODEC(ZSTD(1)) AFTER enjoyment_n,
    ADD COLUMN IF NOT EXISTS enjoyment_low UInt64 COMMENT 'of them 1 or 2' CODEC(ZSTD(1)) AFTER enjoyment_high,
    ADD COLUMN IF NOT EXISTS expected_n UInt64 COMMENT 'interactions with the measure that customers expect something of' CODEC(ZSTD(1)) AFTER enjoyment_low,
    ADD COLUMN IF NOT EXISTS expected_met UInt64 COMMENT 'of them as good as expected, or better' CODEC(ZSTD(1)) AFTER expected_n,
    ADD COLUMN IF NOT EXISTS expected_gap_sum Float64 COMMENT 'sum of how much worse than expected, in the unit of the measure' CODEC(ZSTD(1)) AFTER expected_met,
    ADD COLUMN IF NOT EXISTS expected_gap_sum2 Float64 COMMENT 'sum of its squares' CODEC(ZSTD(1)) AFTER expected_gap_sum;
