-- What touchpoints did after something was changed there, less what others did that were not changed. The newest analysis.
SELECT
    changed_on, name AS touchpoint_name, what, verdict, reason, before, before_low, before_high, before_n, after, after_low,
    after_high, after_n, effect, effect_low, effect_high, others, beware, caveats
FROM change_effects
