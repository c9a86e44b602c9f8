-- What every line of an analysis says of how it was made.
    a.period_from AS period_from,
    a.period_to AS period_to,
    a.definition AS definition,
    arrayStringConcat(a.caveats, ' ') AS caveats,
    a.computed_at AS computed_at
