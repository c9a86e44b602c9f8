-- Days of the business's clock (${time_zone}), asked and observed together. Each definition counts the same interactions:
-- compare them, and never add up several.
CREATE OR REPLACE VIEW touchpoint_daily_by_definition AS
WITH
${formulas}
SELECT
    s.day AS day,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    s.definition AS definition,
    s.interactions AS interactions,
    s.effectiveness_n AS effectiveness_n,
    mean(effectiveness_n, s.effectiveness_sum) AS effectiveness,
    if(effectiveness_n < 2, NULL, greatest(effectiveness - margin(effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2), 0)) AS effectiveness_low,
    if(effectiveness_n < 2, NULL, least(effectiveness + margin(effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2), 100)) AS effectiveness_high,
    s.ease_n AS ease_n,
    mean(ease_n, s.ease_sum) AS ease,
    if(ease_n < 2, NULL, greatest(ease - margin(ease_n, s.ease_sum, s.ease_sum2), 0)) AS ease_low,
    if(ease_n < 2, NULL, least(ease + margin(ease_n, s.ease_sum, s.ease_sum2), 100)) AS ease_high,
    s.emotion_n AS emotion_n,
    mean(emotion_n, s.emotion_sum) AS emotion,
    if(emotion_n < 2, NULL, greatest(emotion - margin(emotion_n, s.emotion_sum, s.emotion_sum2), 0)) AS emotion_low,
    if(emotion_n < 2, NULL, least(emotion + margin(emotion_n, s.emotion_sum, s.emotion_sum2), 100)) AS emotion_high
FROM
(
    SELECT
        toDate(q.window_start, '${time_zone}') AS day,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
        q.definition AS definition,
        sum(q.interactions) AS interactions,
        sum(q.effectiveness_asked_n + q.effectiveness_observed_n) AS effectiveness_n,
        sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum) AS effectiveness_sum,
        sum(q.effectiveness_asked_sum2 + q.effectiveness_observed_sum2) AS effectiveness_sum2,
        sum(q.ease_asked_n + q.ease_observed_n) AS ease_n,
        sum(q.ease_asked_sum + q.ease_observed_sum) AS ease_sum,
        sum(q.ease_asked_sum2 + q.ease_observed_sum2) AS ease_sum2,
        sum(q.emotion_asked_n + q.emotion_observed_n) AS emotion_n,
        sum(q.emotion_asked_sum + q.emotion_observed_sum) AS emotion_sum,
        sum(q.emotion_asked_sum2 + q.emotion_observed_sum2) AS emotion_sum2
    FROM touchpoint_scores AS q FINAL
    GROUP BY day, q.touchpoint, q.channel, q.definition
) AS s
COMMENT 'Per day, touchpoint, channel and definition: n, mean and 95 % interval of each dimension. Choose one definition, or compare two.';

ALTER TABLE touchpoint_daily_by_definition
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml: choose one, or compare two',
    COMMENT COLUMN interactions 'all interactions, with evidence or without',
    COMMENT COLUMN effectiveness_n 'pieces of evidence, asked and observed',
    COMMENT COLUMN effectiveness 'did they reach their goal: their mean, 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN effectiveness_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN effectiveness_high 'upper end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN ease_n 'pieces of evidence, asked and observed',
    COMMENT COLUMN ease 'how little effort did it take: their mean, 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN ease_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN ease_high 'upper end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN emotion_n 'pieces of evidence, asked and observed',
    COMMENT COLUMN emotion 'how did it feel: their mean, 0 to 100, higher is better; null: no evidence',
    COMMENT COLUMN emotion_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN emotion_high 'upper end of its 95 % interval; null with fewer than 2';
