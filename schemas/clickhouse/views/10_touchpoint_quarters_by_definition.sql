-- Each definition counts the same interactions: never add up several of them.
CREATE OR REPLACE VIEW touchpoint_quarters_by_definition AS
SELECT
    q.window_start AS window_start,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    q.definition AS definition,
${sums}
FROM touchpoint_scores AS q FINAL
GROUP BY q.window_start, q.touchpoint, q.channel, q.definition
COMMENT 'Sums per 15 minutes, touchpoint, channel and definition: choose one definition. For reports: touchpoint_quarters.';
