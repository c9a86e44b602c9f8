-- A quarter of an hour of a touchpoint and channel over all partitions: each cell once, by its newest definition.
-- Cells name nobody. An interaction that refuses analysis is in none: stitch does not count it (domain/consent.py). What
-- a person says later, or an erasure, changes no sums.
CREATE OR REPLACE VIEW touchpoint_quarters AS
SELECT
    cell.window_start AS window_start,
    cell.touchpoint AS touchpoint,
    cell.channel AS channel,
    max(cell.newest) AS definition,
    sum(cell.interactions) AS interactions,
    sum(cell.effectiveness_asked_n) AS effectiveness_asked_n,
    sum(cell.effectiveness_asked_sum) AS effectiveness_asked_sum,
    sum(cell.effectiveness_asked_sum2) AS effectiveness_asked_sum2,
    sum(cell.effectiveness_observed_n) AS effectiveness_observed_n,
    sum(cell.effectiveness_observed_sum) AS effectiveness_observed_sum,
    sum(cell.effectiveness_observed_sum2) AS effectiveness_observed_sum2,
    sum(cell.ease_asked_n) AS ease_asked_n,
    sum(cell.ease_asked_sum) AS ease_asked_sum,
    sum(cell.ease_asked_sum2) AS ease_asked_sum2,
    sum(cell.ease_observed_n) AS ease_observed_n,
    sum(cell.ease_observed_sum) AS ease_observed_sum,
    sum(cell.ease_observed_sum2) AS ease_observed_sum2,
    sum(cell.emotion_asked_n) AS emotion_asked_n,
    sum(cell.emotion_asked_sum) AS emotion_asked_sum,
    sum(cell.emotion_asked_sum2) AS emotion_asked_sum2,
    sum(cell.emotion_observed_n) AS emotion_observed_n,
    sum(cell.emotion_observed_sum) AS emotion_observed_sum,
    sum(cell.emotion_observed_sum2) AS emotion_observed_sum2
FROM
(
    SELECT
        c.window_start AS window_start,
        c.touchpoint AS touchpoint,
        c.channel AS channel,
        c.partition AS partition,
        max(c.definition) AS newest,
        argMax(c.interactions, c.definition) AS interactions,
        argMax(c.effectiveness_asked_n, c.definition) AS effectiveness_asked_n,
        argMax(c.effectiveness_asked_sum, c.definition) AS effectiveness_asked_sum,
        argMax(c.effectiveness_asked_sum2, c.definition) AS effectiveness_asked_sum2,
        argMax(c.effectiveness_observed_n, c.definition) AS effectiveness_observed_n,
        argMax(c.effectiveness_observed_sum, c.definition) AS effectiveness_observed_sum,
        argMax(c.effectiveness_observed_sum2, c.definition) AS effectiveness_observed_sum2,
        argMax(c.ease_asked_n, c.definition) AS ease_asked_n,
        argMax(c.ease_asked_sum, c.definition) AS ease_asked_sum,
        argMax(c.ease_asked_sum2, c.definition) AS ease_asked_sum2,
        argMax(c.ease_observed_n, c.definition) AS ease_observed_n,
        argMax(c.ease_observed_sum, c.definition) AS ease_observed_sum,
        argMax(c.ease_observed_sum2, c.definition) AS ease_observed_sum2,
        argMax(c.emotion_asked_n, c.definition) AS emotion_asked_n,
        argMax(c.emotion_asked_sum, c.definition) AS emotion_asked_sum,
        argMax(c.emotion_asked_sum2, c.definition) AS emotion_asked_sum2,
        argMax(c.emotion_observed_n, c.definition) AS emotion_observed_n,
        argMax(c.emotion_observed_sum, c.definition) AS emotion_observed_sum,
        argMax(c.emotion_observed_sum2, c.definition) AS emotion_observed_sum2
    FROM touchpoint_scores AS c FINAL
    GROUP BY c.window_start, c.touchpoint, c.channel, c.partition
) AS cell
GROUP BY cell.window_start, cell.touchpoint, cell.channel
COMMENT 'Sums per 15 minutes, touchpoint and channel.';
