-- A quarter of an hour of a touchpoint and channel over all partitions. Each interaction is in the cell of one definition
-- only (the one that judged it), so cells of several definitions add up. Cells name nobody. An interaction that refuses
-- analysis is in none: stitch does not count it (domain/consent.py). What a person says later, or an erasure, changes no
-- sums.
CREATE OR REPLACE VIEW touchpoint_quarters AS
SELECT
    q.window_start AS window_start,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    max(q.definition) AS definition,
${sums}
FROM touchpoint_scores AS q FINAL
GROUP BY q.window_start, q.touchpoint, q.channel
COMMENT 'Sums per 15 minutes, touchpoint and channel.';
