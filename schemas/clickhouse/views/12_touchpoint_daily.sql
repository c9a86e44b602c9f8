-- Days of the business's clock (${time_zone}). Intervals hold the figure with 95 %; null where too little says
-- nothing about the spread.
CREATE OR REPLACE VIEW touchpoint_daily AS
WITH
${formulas},
${margins}
SELECT
    s.day AS day,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    s.definition AS definition,
${figures}
FROM
(
    SELECT
        q.day AS day,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
        max(q.definition) AS definition,
${sums}
    FROM
    (
${rows_of_sums}
    ) AS q
    GROUP BY q.day, q.touchpoint, q.channel
) AS s
COMMENT 'Per day, touchpoint and channel: dimensions asked and observed apart, survey metrics and expectations; n, figure and 95 % interval each.';

ALTER TABLE touchpoint_daily
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml: the live one',
${figure_comments};
