-- Segments: the properties and details that the catalogue lists, and whether the person is known by name, and how many
-- channels they use. The last 28 days.
CREATE OR REPLACE VIEW experience_by_segment AS
WITH
${formulas}
SELECT
    s.day AS day,
    s.kind AS kind,
    s.segment AS segment,
    s.experiences AS experiences,
    s.persons AS persons,
    s.effectiveness_n AS effectiveness_n,
    mean(s.effectiveness_n, s.effectiveness_sum) AS effectiveness,
    low(s.effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2, 0) AS effectiveness_low,
    high(s.effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2, 100) AS effectiveness_high,
    s.ease_n AS ease_n,
    mean(s.ease_n, s.ease_sum) AS ease,
    low(s.ease_n, s.ease_sum, s.ease_sum2, 0) AS ease_low,
    high(s.ease_n, s.ease_sum, s.ease_sum2, 100) AS ease_high,
    s.emotion_n AS emotion_n,
    mean(s.emotion_n, s.emotion_sum) AS emotion,
    low(s.emotion_n, s.emotion_sum, s.emotion_sum2, 0) AS emotion_low,
    high(s.emotion_n, s.emotion_sum, s.emotion_sum2, 100) AS emotion_high
FROM
(
    SELECT
        day,
        each.1 AS kind,
        each.2 AS segment,
        count() AS experiences,
        uniqExact(e.person) AS persons,
        count(e.effectiveness) AS effectiveness_n,
        sum(ifNull(e.effectiveness, 0)) AS effectiveness_sum,
        sum(pow(ifNull(e.effectiveness, 0), 2)) AS effectiveness_sum2,
        count(e.ease) AS ease_n,
        sum(ifNull(e.ease, 0)) AS ease_sum,
        sum(pow(ifNull(e.ease, 0), 2)) AS ease_sum2,
        count(e.emotion) AS emotion_n,
        sum(ifNull(e.emotion, 0)) AS emotion_sum,
        sum(pow(ifNull(e.emotion, 0), 2)) AS emotion_sum2
    FROM experiences_lately AS e
    LEFT JOIN (SELECT person, uniqExact(channel) AS channels FROM experiences_lately GROUP BY person) AS p ON p.person = e.person
    ARRAY JOIN arrayConcat(
        [('known', if(match(e.person, '^(customer|loyalty):'), 'known customer', 'not known by name')),
         ('channels', if(p.channels > 1, 'several channels', 'one channel'))],
        arrayFilter(found -> found.2 != '', arrayMap(
            name -> (name, if(e.details[name] != '', e.details[name], e.properties[name])),
            (SELECT texts FROM settings_current WHERE name = 'segments')
        ))
    ) AS each
    GROUP BY day, kind, segment
) AS s
SETTINGS join_use_nulls = 0
COMMENT 'Per day and segment of people: n, mean and 95 % interval of each dimension. The last 28 days.';
