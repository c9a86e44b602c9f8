CREATE OR REPLACE VIEW touchpoint_hours_due AS
SELECT c.zone AS zone, c.hour AS hour, c.through AS through
FROM touchpoint_hours_changed AS c
LEFT ANTI JOIN touchpoint_hours_made AS m ON m.zone = c.zone AND m.hour = c.hour AND m.through = c.through
COMMENT 'The hours that are not summed up in touchpoint_hours, or have changed since.';
