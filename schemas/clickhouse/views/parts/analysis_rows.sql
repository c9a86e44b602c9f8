-- The rows of the newest analysis of each kind (r), with what it is made of (a).
FROM analyses_newest AS a
INNER JOIN (SELECT * FROM analysis_rows FINAL) AS r ON r.analysis_id = a.analysis_id AND r.computed_at = a.computed_at
