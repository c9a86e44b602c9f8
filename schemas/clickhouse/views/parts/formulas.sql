-- The formulas of pipeline/domain/intervals.py; a test holds one against the other.
    (n, total) -> if(n = 0, NULL, total / n) AS mean,
    (n, total, squares) -> 1.959963984540054 * sqrt(greatest(squares - total * total / n, 0) / (n - 1) / n) AS margin,
    (n, total, squares, least_) -> if(n < 2, NULL, greatest(total / n - margin(n, total, squares), least_)) AS low,
    (n, total, squares, most_) -> if(n < 2, NULL, least(total / n + margin(n, total, squares), most_)) AS high,
    (n, k) -> if(n = 0, NULL, greatest((k / n + 1.9207294103470998 / n
        - 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 0.9603647051735499 / n / n)) / (1 + 3.8414588206941996 / n), 0)) AS wilson_low,
    (n, k) -> if(n = 0, NULL, least((k / n + 1.9207294103470998 / n
        + 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 0.9603647051735499 / n / n)) / (1 + 3.8414588206941996 / n), 1)) AS wilson_high,
    (n, up, down) -> (toFloat64(up) - down) / n AS net_of,
    (n, up, down) -> (toFloat64(up) - down) / (n + 3) AS net_mid,
    (n, up, down) -> ((up + down + 1.5) / (n + 3) - pow(net_mid(n, up, down), 2)) / (n + 3) AS net_var,
    (n, up, down) -> if(n = 0, NULL, greatest(net_mid(n, up, down) - 1.959963984540054 * sqrt(net_var(n, up, down)), -1)) AS net_low,
    (n, up, down) -> if(n = 0, NULL, least(net_mid(n, up, down) + 1.959963984540054 * sqrt(net_var(n, up, down)), 1)) AS net_high,
    (a, b, c) -> 1.959963984540054 * sqrt(a + b + c) / 3 AS margin_3
