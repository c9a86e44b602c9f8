-- Whether it went as customers expect, by week and touchpoint: of each measure of which something is expected.
SELECT
    w.week AS week, if(t.name = '', w.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, w.channel AS channel,
    t.expects AS measure, t.target AS target, w.expected_met AS met, w.expected_met_low AS met_low, w.expected_met_high AS met_high,
    w.expected_gap_mean AS gap, w.expected_gap_low AS gap_low, w.expected_gap_high AS gap_high, w.expected_n AS n
FROM touchpoint_weekly AS w
INNER JOIN touchpoints AS t ON t.touchpoint = w.touchpoint
WHERE w.expected_n > 0
