-- What carries overall experience: each touchpoint's share of what is explained, beside how well it does. The newest analysis.
SELECT
    position, name AS driver, quadrant, if(found, '', 'may be chance') AS chance, n,
    share, share_low, share_high, weight, weight_low, weight_high, importance_line, performance_line,
    performance, performance_low, performance_high, coefficient, coefficient_low, coefficient_high,
    vif, r2, r2_low, r2_high, people, concat(toString(period_from), ' up to ', toString(period_to)) AS period, caveats
FROM drivers
WHERE of = 'touchpoints'
