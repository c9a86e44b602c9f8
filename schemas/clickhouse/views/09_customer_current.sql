-- n = 0 takes a row back. Who has since become somebody else is left out at once, whatever is still to be taken back;
-- so is who refuses analysis.
CREATE OR REPLACE VIEW customer_current AS
SELECT *
FROM
(
    SELECT
        s.person AS person,
        max(s.day) AS day,
        argMax(s.definition, (s.day, s.definition)) AS definition,
        argMax(tuple(s.effectiveness), (s.day, s.definition)).1 AS effectiveness,
        argMax(s.effectiveness_n, (s.day, s.definition)) AS effectiveness_n,
        argMax(s.effectiveness_kind, (s.day, s.definition)) AS effectiveness_kind,
        argMax(tuple(s.ease), (s.day, s.definition)).1 AS ease,
        argMax(s.ease_n, (s.day, s.definition)) AS ease_n,
        argMax(s.ease_kind, (s.day, s.definition)) AS ease_kind,
        argMax(tuple(s.emotion), (s.day, s.definition)).1 AS emotion,
        argMax(s.emotion_n, (s.day, s.definition)) AS emotion_n,
        argMax(s.emotion_kind, (s.day, s.definition)) AS emotion_kind
    FROM customer_scores AS s FINAL
    WHERE s.effectiveness_n + s.ease_n + s.emotion_n > 0
    GROUP BY s.person
)
WHERE person NOT IN (SELECT identifier FROM identities_assigned WHERE person != identifier)
  AND person NOT IN (SELECT person FROM analysis_refused)
COMMENT 'The newest scores of every person, by the newest definition of that day.';
