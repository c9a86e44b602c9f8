CREATE OR REPLACE VIEW segments AS
SELECT
    a.of AS of,
    r.position AS position,
    r.notes['trait'] AS trait,
    r.notes['segment'] AS segment,
    toUInt64(ifNull(r.figures['n'], 0)) AS n,
    r.figures['mean'] AS mean,
    r.figures['mean_low'] AS mean_low,
    r.figures['mean_high'] AS mean_high,
    r.figures['difference'] AS difference,
    r.figures['difference_low'] AS difference_low,
    r.figures['difference_high'] AS difference_high,
    r.figures['p'] AS p,
    r.figures['p_corrected'] AS p_corrected,
    r.notes['verdict'] AS verdict,
    a.n AS people,
${analysis_made}
${analysis_rows}
WHERE a.kind = 'segments'
COMMENT 'Whose experience differs from the others'', corrected for how many segments were looked at; none has fewer than 10 people. The newest analysis.';

ALTER TABLE segments
    COMMENT COLUMN of 'overall, effectiveness, ease or emotion: choose one',
    COMMENT COLUMN position 'from 1 on',
    COMMENT COLUMN trait 'by what people are told apart: a trait of theirs, or the channels they use',
    COMMENT COLUMN segment 'which of them',
    COMMENT COLUMN n 'people in it',
    COMMENT COLUMN mean 'of their experience, 0 to 100',
    COMMENT COLUMN mean_low 'lower end of its 95 % interval',
    COMMENT COLUMN mean_high 'upper end of its 95 % interval',
    COMMENT COLUMN difference 'how much higher it is than that of all others of whom the trait is known',
    COMMENT COLUMN difference_low 'lower end of its 95 % interval; null: nobody is left to compare with',
    COMMENT COLUMN difference_high 'upper end of its 95 % interval',
    COMMENT COLUMN p 'how often chance alone makes such a difference (Welch)',
    COMMENT COLUMN p_corrected 'the same, corrected for the number of segments: below 0.05 it is more than chance',
    COMMENT COLUMN verdict 'better, worse, or no difference beyond chance; else why nothing is compared',
    COMMENT COLUMN people 'with a score in the period',
    COMMENT COLUMN period_from 'first day, by the clock of the business',
    COMMENT COLUMN period_to 'first day after it',
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml',
    COMMENT COLUMN caveats 'what to beware of, in words',
    COMMENT COLUMN computed_at 'when it was computed';
