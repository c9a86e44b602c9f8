-- Segments: the details and properties that the catalogue lists, whether the person is known by name, and in how many
-- channels they had experiences. Today and the 27 days before. An experience that no such detail tells anything of is in
-- no segment of that kind.
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
    if(s.effectiveness_n < 2, NULL, greatest(s.effectiveness_sum / s.effectiveness_n - margin(s.effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2), 0)) AS effectiveness_low,
    if(s.effectiveness_n < 2, NULL, least(s.effectiveness_sum / s.effectiveness_n + margin(s.effectiveness_n, s.effectiveness_sum, s.effectiveness_sum2), 100)) AS effectiveness_high,
    s.ease_n AS ease_n,
    mean(s.ease_n, s.ease_sum) AS ease,
    if(s.ease_n < 2, NULL, greatest(s.ease_sum / s.ease_n - margin(s.ease_n, s.ease_sum, s.ease_sum2), 0)) AS ease_low,
    if(s.ease_n < 2, NULL, least(s.ease_sum / s.ease_n + margin(s.ease_n, s.ease_sum, s.ease_sum2), 100)) AS ease_high,
    s.emotion_n AS emotion_n,
    mean(s.emotion_n, s.emotion_sum) AS emotion,
    if(s.emotion_n < 2, NULL, greatest(s.emotion_sum / s.emotion_n - margin(s.emotion_n, s.emotion_sum, s.emotion_sum2), 0)) AS emotion_low,
    if(s.emotion_n < 2, NULL, least(s.emotion_sum / s.emotion_n + margin(s.emotion_n, s.emotion_sum, s.emotion_sum2), 100)) AS emotion_high
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
    ARRAY JOIN arrayConcat(
        [('known', if(match(e.person, '^(customer|loyalty):'), 'known customer', 'not known by name')),
         ('channels', if(person IN (SELECT person FROM experiences_lately GROUP BY person HAVING min(channel) != max(channel)), 'several channels', 'one channel'))],
        arrayFilter(found -> found.2 != '', arrayMap(
            name -> (name, if(e.details[name] != '', e.details[name], e.properties[name])),
            (SELECT texts FROM settings_current WHERE name = 'segments')
        ))
    ) AS each
    GROUP BY day, kind, segment
) AS s
SETTINGS join_use_nulls = 0
COMMENT 'Per day and segment of people: n, mean and 95 % interval of each dimension. The last 28 days.';

ALTER TABLE experience_by_segment
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN kind 'by what people are told apart: known, channels, or a name in the catalogue',
    COMMENT COLUMN segment 'which of them',
    COMMENT COLUMN experiences 'interactions that say something',
    COMMENT COLUMN persons 'of how many persons',
    COMMENT COLUMN effectiveness_n 'pieces of evidence',
    COMMENT COLUMN effectiveness 'did they reach their goal: their mean, 0 to 100',
    COMMENT COLUMN effectiveness_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN effectiveness_high 'upper end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN ease_n 'pieces of evidence',
    COMMENT COLUMN ease 'how little effort did it take: their mean, 0 to 100',
    COMMENT COLUMN ease_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN ease_high 'upper end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN emotion_n 'pieces of evidence',
    COMMENT COLUMN emotion 'how did it feel: their mean, 0 to 100',
    COMMENT COLUMN emotion_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN emotion_high 'upper end of its 95 % interval; null with fewer than 2';
