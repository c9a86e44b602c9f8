-- Hours of the business's clock (${time_zone}), by the definition that is live. It is exact at every moment, and a month
-- costs little more than its last hours.
CREATE OR REPLACE VIEW touchpoint_sums AS
${rows_of_sums}
COMMENT 'Rows of sums per hour of the business, touchpoint and channel, several of an hour that is not summed up yet: add them up.';
