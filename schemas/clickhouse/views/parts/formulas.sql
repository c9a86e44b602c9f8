-- The formulas of pipeline/domain/intervals.py; a test holds one against the other.
    (n, total) -> if(n = 0, NULL, total / n) AS mean,
    (n, total, squares) -> 1.959963984540054 * sqrt(greatest(squares - total * total / n, 0) / (n - 1) / n) AS margin,
    (n, k) -> (k / n + 1.9207294103470998 / n) / (1 + 3.8414588206941996 / n) AS wilson_middle,
    (n, k) -> 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 0.9603647051735499 / n / n) / (1 + 3.8414588206941996 / n) AS wilson_margin,
    (n, up, down) -> (toFloat64(up) - down) / n AS net_share,
    (n, up, down) -> (toFloat64(up) - down) / (n + 3) AS net_middle,
    (n, up, down, middle) -> 1.959963984540054 * sqrt(((up + down + 1.5) / (n + 3) - middle * middle) / (n + 3)) AS net_margin
