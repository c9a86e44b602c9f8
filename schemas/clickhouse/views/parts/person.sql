-- Whose the row i of an identifier is, with its assignment w: by the session where one is settled, else by the interval.
-- Assignment.owner of pipeline/domain/messages.py, but for those who were erased.
    multiIf(
        w.who = '', i.identifier,
        i.session_id != '' AND mapContains(w.sessions, i.session_id), w.sessions[i.session_id],
        w.until IS NOT NULL AND i.occurred_at < w.until, w.earlier_person,
        w.person
    ) AS person
