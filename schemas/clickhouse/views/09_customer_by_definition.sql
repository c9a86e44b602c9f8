-- A row that says nothing takes an earlier one back. Who has since become somebody else is left out at once, whatever is still to be taken back;
-- so is who refuses analysis.
CREATE OR REPLACE VIEW customer_by_definition AS
SELECT *
FROM
(
    SELECT
        s.person AS person,
        max(s.day) AS day,
        s.definition AS definition,
        argMax(tuple(s.effectiveness), s.day).1 AS effectiveness,
        argMax(s.effectiveness_n, s.day) AS effectiveness_n,
        argMax(s.effectiveness_kind, s.day) AS effectiveness_kind,
        argMax(tuple(s.ease), s.day).1 AS ease,
        argMax(s.ease_n, s.day) AS ease_n,
        argMax(s.ease_kind, s.day) AS ease_kind,
        argMax(tuple(s.emotion), s.day).1 AS emotion,
        argMax(s.emotion_n, s.day) AS emotion_n,
        argMax(s.emotion_kind, s.day) AS emotion_kind,
        argMax(tuple(s.overall), s.day).1 AS overall,
        argMax(s.overall_n, s.day) AS overall_n,
        argMax(s.worst_touchpoint, s.day) AS worst_touchpoint,
        argMax(tuple(s.worst_value), s.day).1 AS worst_value,
        argMax(s.worst_n, s.day) AS worst_n,
        argMax(tuple(s.gap), s.day).1 AS gap,
        argMax(s.gap_n, s.day) AS gap_n,
        argMax(s.trend, s.day) AS trend,
        argMax(tuple(s.trend_value), s.day).1 AS trend_value,
        argMax(tuple(s.trend_low), s.day).1 AS trend_low,
        argMax(tuple(s.trend_high), s.day).1 AS trend_high,
        argMax(s.trend_n, s.day) AS trend_n,
        argMax(s.at_risk, s.day) AS at_risk,
        argMax(s.at_risk_reason, s.day) AS at_risk_reason,
        argMax(s.repeat_contacts, s.day) AS repeat_contacts
    FROM customer_scores AS s FINAL
    WHERE s.effectiveness_n + s.ease_n + s.emotion_n + s.gap_n + s.repeat_contacts > 0
    GROUP BY s.person, s.definition
)
WHERE person NOT IN (SELECT identifier FROM identities_assigned WHERE person != identifier)
  AND person NOT IN (SELECT person FROM analysis_refused)
COMMENT 'The newest scores of every person by each definition: one that is not live as of its last replay. For reports: customer_current.';

ALTER TABLE customer_by_definition
${customer_comments};
