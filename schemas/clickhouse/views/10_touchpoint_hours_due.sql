-- By the definition that is live: after a switch all hours are due, and what the former one was summed up to is kept.
CREATE OR REPLACE VIEW touchpoint_hours_due AS
SELECT zone, hour, (SELECT definition FROM definition_live) AS definition, through
${hours_due}
COMMENT 'The hours that are not summed up in touchpoint_hours, or have changed since.';
