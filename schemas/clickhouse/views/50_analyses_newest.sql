-- One of each kind, and of what it was told to be of (drivers of touchpoints, drivers of dimensions).
CREATE OR REPLACE VIEW analyses_newest AS
SELECT
    a.kind AS kind,
    a.parameters['of'] AS of,
    a.period_from AS period_from,
    a.period_to AS period_to,
    a.n AS n,
    a.refused AS refused,
    a.caveats AS caveats,
    a.definition AS definition,
    a.version AS version,
    a.seed AS seed,
    a.parameters AS parameters,
    a.computed_at AS computed_at,
    a.analysis_id AS analysis_id
FROM analyses AS a FINAL
ORDER BY a.computed_at DESC, a.analysis_id
LIMIT 1 BY kind, of
COMMENT 'The newest analysis of each kind: of what it is made, and what to beware of.';

ALTER TABLE analyses_newest
    COMMENT COLUMN kind 'drivers, segments, link, paths, changes',
    COMMENT COLUMN of 'which one of its kind, as drivers of touchpoints or dimensions; empty: there is only one',
    COMMENT COLUMN period_from 'first day, by the clock of the business',
    COMMENT COLUMN period_to 'first day after it',
    COMMENT COLUMN n 'people, or what the analysis says it counts',
    COMMENT COLUMN refused 'why there are no figures; empty: there are',
    COMMENT COLUMN caveats 'what to beware of, in words',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml',
    COMMENT COLUMN version 'of the method',
    COMMENT COLUMN seed 'of what was drawn at random: with it every figure can be had again',
    COMMENT COLUMN parameters 'what it was told',
    COMMENT COLUMN computed_at 'when it was computed',
    COMMENT COLUMN analysis_id 'the same analysis again has the same';
