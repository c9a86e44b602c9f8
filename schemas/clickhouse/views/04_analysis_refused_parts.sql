-- What the views of interactions leave out, for an anti join: a row of a person's whose browser is empty takes all that
-- is theirs, another one what is filed under that browser or device.
CREATE OR REPLACE VIEW analysis_refused_parts AS
SELECT person AS who, arrayJoin(if(everything, [''], browsers)) AS browser
FROM analysis_refusals
COMMENT 'Of whom, and under which of their browsers or devices (empty: anywhere), nothing may be analysed.';
