-- By the definition that is live: after a switch all hours are due, and what the former one was summed up to is kept.
CREATE OR REPLACE VIEW touchpoint_hours_due AS
SELECT c.zone AS zone, c.hour AS hour, (SELECT definition FROM definition_live) AS definition, c.through AS through
FROM touchpoint_hours_changed AS c
LEFT ANTI JOIN
(
    SELECT zone, hour, through FROM touchpoint_hours_made WHERE definition = (SELECT definition FROM definition_live)
) AS m ON m.zone = c.zone AND m.hour = c.hour AND m.through = c.through
COMMENT 'The hours that are not summed up in touchpoint_hours, or have changed since.';
