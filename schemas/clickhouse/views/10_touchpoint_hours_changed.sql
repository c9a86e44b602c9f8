-- A number for each hour that grows with every change. Whatever else touchpoint_quarters_summed may come to depend on has to
-- be added there, so that hours are summed up again when it changes.
CREATE OR REPLACE VIEW touchpoint_hours_changed AS
${hours_changed}
COMMENT 'Each hour of the business that has cells, with a number that grows when one of them changes.';
