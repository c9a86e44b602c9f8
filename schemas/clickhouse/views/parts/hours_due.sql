-- From which hours are not summed up, or have changed since, by the definition that is live.
FROM
(
${hours_changed}
)
WHERE (hour, through) NOT IN
(
    SELECT hour, through FROM touchpoint_hours_made
    WHERE zone = '${time_zone}' AND definition = (SELECT definition FROM definition_live)
)
