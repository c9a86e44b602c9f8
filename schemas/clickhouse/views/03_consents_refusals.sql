-- Of each person the newest word counts, by its position in the timeline (pipeline/domain/consent.py); a browser's only
-- where it is newer than the person's own, and against a no of the person never. Only those are looked at who may once
-- have said no, by whatever assignment, so this costs as much as there are of them: `person`, which all their words are
-- here for, decides.
CREATE OR REPLACE VIEW analysis_refusals AS
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
SELECT
    person,
    maxIf(own_at, browser = '') AS person_at,
    anyIf(own_no OR (public_no AND public_at > own_at), browser = '') AS everything,
    arrayMap(each -> each.1, arrayFilter(each -> each.2 > person_at, groupArrayIf((browser, public_at), browser != '' AND public_no))) AS browsers
FROM
(
    SELECT
        person,
        browser,
        argMaxIf(NOT consent['analysis'], (occurred_at, source, event_id, identifier), NOT public) AS own_no,
        maxIf((occurred_at, source, event_id, identifier), NOT public) AS own_at,
        argMaxIf(NOT consent['analysis'], (occurred_at, source, event_id, identifier), public) AS public_no,
        maxIf((occurred_at, source, event_id, identifier), public) AS public_at
    FROM consents_attributed
    WHERE mapContains(consent, 'analysis')
      AND identifier IN (
          SELECT who FROM concerned
          UNION ALL
          SELECT identifier FROM identities
          WHERE identities.person IN (SELECT who FROM concerned) OR earlier_person IN (SELECT who FROM concerned)
      )
    GROUP BY person, browser
)
GROUP BY person
HAVING everything OR notEmpty(browsers)
COMMENT 'Who refuses analysis: of everything that is theirs, or of what is filed under some of their browsers or devices.';
