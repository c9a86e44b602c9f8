-- Whose experience differs from that of all others, corrected for how many segments were looked at. The newest analysis.
SELECT
    trait, segment, n, mean, mean_low, mean_high, difference, difference_low, difference_high, p_corrected, verdict,
    concat(toString(period_from), ' up to ', toString(period_to)) AS period, caveats
FROM segments
WHERE of = 'overall'
