-- A quarter of an hour of a touchpoint and channel over all partitions, by the definition that is live. Another one that
-- judges beside it counts the same interactions once more, in cells of its own. Cells name nobody. An interaction that
-- refuses analysis is in none: stitch does not count it (domain/consent.py). What a person says later, or an erasure,
-- changes no sums.
CREATE OR REPLACE VIEW touchpoint_quarters AS
SELECT
    q.window_start AS window_start,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    max(q.definition) AS definition,
${sums}
FROM touchpoint_scores AS q FINAL
WHERE q.definition = (SELECT definition FROM definition_live)
GROUP BY q.window_start, q.touchpoint, q.channel
COMMENT 'Sums per 15 minutes, touchpoint and channel. By other definitions: touchpoint_quarters_by_definition.';
