-- How people really go: paths, where they end, what is done twice, changes of channel; choose a part. The newest analysis.
SELECT
    position, part, journey, name, step, what, design, after, from_channel_or_step, to_channel_or_step, issue, n, of_n,
    share, share_low, share_high, times, median_s / 3600 AS median_h, handle_s / 3600 AS handle_h, cost, currency,
    concat(toString(period_from), ' up to ', toString(period_to)) AS period, caveats
FROM paths
