CREATE OR REPLACE VIEW link_bands AS
SELECT
    r.position AS position,
    r.notes['outcome'] AS outcome,
    r.label AS name,
    r.notes['unit'] AS unit,
    assumeNotNull(r.figures['from']) AS score_from,
    assumeNotNull(r.figures['to']) AS score_to,
    toUInt64(ifNull(r.figures['n'], 0)) AS n,
    r.figures['mean'] AS mean,
    r.figures['mean_low'] AS mean_low,
    r.figures['mean_high'] AS mean_high,
${analysis_made}
${analysis_rows}
WHERE a.kind = 'link' AND r.notes['part'] = 'band'
COMMENT 'Customers'' results by bands of the score they had before: the dose curve, with nothing held constant. The newest analysis.';

ALTER TABLE link_bands
    COMMENT COLUMN position 'in the analysis',
    COMMENT COLUMN outcome 'net, bought, returned, churned: choose one',
    COMMENT COLUMN name 'for people',
    COMMENT COLUMN unit 'of the mean: share (0 to 1), or the currency; amount where none is said',
    COMMENT COLUMN score_from 'the band begins with this score',
    COMMENT COLUMN score_to 'and ends before this one; the last one with it',
    COMMENT COLUMN n 'customers in it, at least 10',
    COMMENT COLUMN mean 'of their amounts, or share of them',
    COMMENT COLUMN mean_low 'lower end of its 95 % interval',
    COMMENT COLUMN mean_high 'upper end of its 95 % interval',
    COMMENT COLUMN period_from 'experience counts up to that day, results from it on, by the clock of the business',
    COMMENT COLUMN period_to 'first day after the results',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml',
    COMMENT COLUMN caveats 'what to beware of, in words',
    COMMENT COLUMN computed_at 'when it was computed';
