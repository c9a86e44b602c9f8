-- Each touchpoint that has thresholds: green, yellow, red or grey, and why, at this moment.
SELECT
    name AS touchpoint_name, touchpoint, dot, indexOf(['red', 'yellow', 'grey', 'green'], dot) AS urgency, value, low, high, n,
    reason, owner, when_red, layer
FROM touchpoint_dots
