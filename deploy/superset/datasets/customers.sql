-- Persons with scores, as they are now. Persons are ids or keyed forms; there are no names here.
SELECT
    c.person AS person, c.day AS day, c.overall AS overall, c.overall_n AS overall_n,
    c.effectiveness AS effectiveness, c.effectiveness_n AS effectiveness_n, c.ease AS ease, c.ease_n AS ease_n,
    c.emotion AS emotion, c.emotion_n AS emotion_n, if(c.trend = '', 'too little to say', c.trend) AS trend,
    toUInt8(c.at_risk) AS at_risk, c.at_risk_reason AS at_risk_reason, c.repeat_contacts AS repeat_contacts,
    if(c.worst_touchpoint = '', 'none was poor', if(t.name = '', c.worst_touchpoint, t.name)) AS worst_touchpoint,
    c.worst_value AS worst_value, c.worst_n AS worst_n,
    multiIf(c.overall IS NULL, 'not known', c.overall < 20, '0 to 20', c.overall < 40, '20 to 40', c.overall < 60, '40 to 60',
        c.overall < 80, '60 to 80', '80 to 100') AS overall_band
FROM customer_current AS c
LEFT JOIN touchpoints AS t ON t.touchpoint = c.worst_touchpoint
