CREATE OR REPLACE VIEW channel_daily AS
WITH
${formulas},
${margins}
SELECT
    s.day AS day,
    s.channel AS channel,
    s.touchpoints AS touchpoints,
    s.definition AS definition,
${figures}
FROM
(
    SELECT
        q.day AS day,
        q.channel AS channel,
        uniqExact(q.touchpoint) AS touchpoints,
        max(q.definition) AS definition,
${sums}
    FROM
    (
${rows_of_sums}
    ) AS q
    GROUP BY q.day, q.channel
) AS s
COMMENT 'Per day and channel, over all its touchpoints: n, figure and 95 % interval each.';

ALTER TABLE channel_daily
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN channel 'the channel',
    COMMENT COLUMN touchpoints 'touchpoints of it at which something happened',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml: the live one',
${figure_comments};
