-- Weeks, from Monday on, of the business's clock (${time_zone}). Intervals hold the figure with 95 %; null where too little says
-- nothing about the spread.
CREATE OR REPLACE VIEW touchpoint_weekly AS
WITH
${formulas},
${margins}
SELECT
    s.week AS week,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    s.definition AS definition,
${figures}
FROM
(
    SELECT
        toMonday(q.day) AS week,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
        max(q.definition) AS definition,
${sums}
    FROM
    (
${rows_of_sums}
    ) AS q
    GROUP BY week, q.touchpoint, q.channel
) AS s
COMMENT 'Per week, from Monday on, touchpoint and channel: dimensions asked and observed apart, survey metrics and expectations; n, figure and 95 % interval each.';

ALTER TABLE touchpoint_weekly
    COMMENT COLUMN week 'its Monday, by the clock of the business',
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml: the live one',
${figure_comments};
