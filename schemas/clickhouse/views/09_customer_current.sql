CREATE OR REPLACE VIEW customer_current AS
SELECT *
FROM customer_by_definition
WHERE definition = (SELECT definition FROM definition_live)
COMMENT 'The newest scores of every person. By other definitions: customer_by_definition.';

ALTER TABLE customer_current
    COMMENT COLUMN person 'whose scores',
    COMMENT COLUMN day 'of the newest evidence (UTC)',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml',
    COMMENT COLUMN effectiveness 'did they reach their goal: 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN effectiveness_n 'pieces of evidence',
    COMMENT COLUMN effectiveness_kind 'asked, observed, mixed, or empty',
    COMMENT COLUMN ease 'how little effort did it take: 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN ease_n 'pieces of evidence',
    COMMENT COLUMN ease_kind 'asked, observed, mixed, or empty',
    COMMENT COLUMN emotion 'how did it feel: 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN emotion_n 'pieces of evidence',
    COMMENT COLUMN emotion_kind 'asked, observed, mixed, or empty',
    COMMENT COLUMN overall 'mean of the known dimensions; null: none is known',
    COMMENT COLUMN overall_n 'pieces of evidence of all dimensions',
    COMMENT COLUMN worst_touchpoint 'the touchpoint that served them worst in the last 30 days; empty: none was poor',
    COMMENT COLUMN worst_value 'its mean, 0 to 100',
    COMMENT COLUMN worst_n 'experiences there',
    COMMENT COLUMN gap 'mean of how much better than expected, in percent of what was: -100 to 100',
    COMMENT COLUMN gap_n 'experiences of which something was expected',
    COMMENT COLUMN trend 'rising, falling, steady; empty: too little evidence',
    COMMENT COLUMN trend_value 'moving average of their experiences, 0 to 100',
    COMMENT COLUMN trend_low 'below it the trend is falling',
    COMMENT COLUMN trend_high 'above it the trend is rising',
    COMMENT COLUMN trend_n 'experiences that the trend is made of',
    COMMENT COLUMN at_risk 'whether the person may leave',
    COMMENT COLUMN at_risk_reason 'why, in plain words',
    COMMENT COLUMN repeat_contacts 'contacts about an issue they had contacted us about, or looked for help with, in the 7 days before';
