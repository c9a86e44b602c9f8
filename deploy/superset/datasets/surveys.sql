-- What people answered, by week and touchpoint: each figure with its number of answers and its 95 % interval.
SELECT
    w.week AS week, if(t.name = '', w.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, w.channel AS channel,
    w.nps_n AS nps_n, w.nps AS nps, w.nps_low AS nps_low, w.nps_high AS nps_high,
    w.csat_n AS csat_n, w.csat_satisfied AS csat, w.csat_satisfied_low AS csat_low, w.csat_satisfied_high AS csat_high,
    w.ces_n AS ces_n, w.ces_mean AS ces, w.ces_mean_low AS ces_low, w.ces_mean_high AS ces_high
FROM touchpoint_weekly AS w
LEFT JOIN touchpoints AS t ON t.touchpoint = w.touchpoint
WHERE w.nps_n + w.csat_n + w.ces_n > 0
