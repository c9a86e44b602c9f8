-- Means and intervals of touchpoint_daily cannot be put together to those of a week, a channel or a business; sums can. So that
-- tools which group as they like show a figure, its n and its interval (VIEWS.md has the formula).
CREATE OR REPLACE VIEW evidence_daily AS
SELECT
    s.day AS day,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    evidence.1 AS dimension,
    evidence.2 AS kind,
    evidence.3 AS n,
    evidence.4 AS total,
    evidence.5 AS squares
FROM
(
    SELECT
        q.day AS day,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
${sums}
    FROM
    (
${rows_of_sums}
    ) AS q
    GROUP BY q.day, q.touchpoint, q.channel
) AS s
ARRAY JOIN [
    ('effectiveness', 'asked', s.effectiveness_asked_n, s.effectiveness_asked_sum, s.effectiveness_asked_sum2),
    ('effectiveness', 'observed', s.effectiveness_observed_n, s.effectiveness_observed_sum, s.effectiveness_observed_sum2),
    ('ease', 'asked', s.ease_asked_n, s.ease_asked_sum, s.ease_asked_sum2),
    ('ease', 'observed', s.ease_observed_n, s.ease_observed_sum, s.ease_observed_sum2),
    ('emotion', 'asked', s.emotion_asked_n, s.emotion_asked_sum, s.emotion_asked_sum2),
    ('emotion', 'observed', s.emotion_observed_n, s.emotion_observed_sum, s.emotion_observed_sum2)
] AS evidence
WHERE n > 0
COMMENT 'Per day, touchpoint, channel, dimension and kind of evidence: n, sum and sum of squares, which may be added up.';

ALTER TABLE evidence_daily
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN dimension 'effectiveness, ease or emotion',
    COMMENT COLUMN kind 'asked: what people said; observed: what was seen',
    COMMENT COLUMN n 'pieces of evidence',
    COMMENT COLUMN total 'sum of their scores, each 0 to 100',
    COMMENT COLUMN squares 'sum of the squares of their scores';
