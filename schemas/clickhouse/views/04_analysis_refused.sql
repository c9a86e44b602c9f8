-- Of each person the newest word counts, by its position in the timeline (pipeline/domain/consent.py). Only those are
-- looked at who may once have said no, by whatever assignment, so this costs as much as there are of them: `person`,
-- which all their words are here for, decides.
CREATE OR REPLACE VIEW analysis_refused AS
WITH
    refusing AS (
        SELECT identifier FROM consents WHERE mapContains(consent, 'analysis') AND NOT consent['analysis']
    ),
    concerned AS (
        SELECT identifier AS who FROM refusing
        UNION ALL
        SELECT arrayJoin([identities.person, earlier_person]) AS who
        FROM identities
        WHERE identifier IN (SELECT identifier FROM refusing) AND who != ''
    )
SELECT person
FROM consents_attributed
WHERE mapContains(consent, 'analysis')
  AND identifier IN (
      SELECT who FROM concerned
      UNION ALL
      SELECT identifier FROM identities
      WHERE identities.person IN (SELECT who FROM concerned) OR earlier_person IN (SELECT who FROM concerned)
  )
GROUP BY person
HAVING NOT argMax(consent['analysis'], (occurred_at, source, event_id))
COMMENT 'Persons of whom nothing may be analysed: no other view has them.';
