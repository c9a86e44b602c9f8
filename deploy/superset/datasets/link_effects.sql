-- What 10 points of experience go with in the days after: shares in percentage points, amounts in their unit. The newest analysis.
SELECT
    position, name AS outcome, if(unit = 'share', '% points', unit) AS unit, n,
    effect * if(unit = 'share', 100, 1) AS effect, effect_low * if(unit = 'share', 100, 1) AS effect_low,
    effect_high * if(unit = 'share', 100, 1) AS effect_high, spearman, spearman_low, spearman_high, verdict,
    control_verdict, reason, concat(toString(period_from), ' up to ', toString(period_to)) AS period, caveats
FROM link_effects
