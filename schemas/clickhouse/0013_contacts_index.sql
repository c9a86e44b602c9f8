-- A day of queues reads the contacts of that day, not those of years.

ALTER TABLE contacts ADD INDEX IF NOT EXISTS occurred_at_range occurred_at TYPE minmax GRANULARITY 1;

-- For what is there already, from one column. Nobody waits for it: until it is done, more is read.
ALTER TABLE contacts MATERIALIZE INDEX IF EXISTS occurred_at_range;
