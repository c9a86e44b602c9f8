-- The assignment w of the row i's identifier; its `who` is empty where there is none (with join_use_nulls = 0).
LEFT JOIN
(
    SELECT identifier AS who, person, until, earlier_person, ambiguous, sessions
    FROM identities_assigned
) AS w ON w.who = i.identifier
