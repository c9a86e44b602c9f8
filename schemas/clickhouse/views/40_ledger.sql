-- received + carried + rekeyed = stored + duplicates + rejected + erased + on_the_way, on every line. Over all partitions
-- of a channel `rekeyed` is what has left one and not come to another yet, and so 0 once all is quiet, as `on_the_way` is.
CREATE OR REPLACE VIEW ledger AS
SELECT
    l.channel AS channel,
    l.partition AS partition,
    toInt64(sum(l.read)) AS received,
    toInt64(sum(l.before)) AS carried,
    toInt64(sum(l.moved)) AS rekeyed,
    toInt64(sum(l.there)) AS stored,
    toInt64(sum(l.copies)) AS duplicates,
    toInt64(sum(l.unusable)) AS rejected,
    toInt64(sum(l.kept_out) + sum(l.deleted)) AS erased,
    toInt64(sum(l.counted) + sum(l.before) - sum(l.there) - sum(l.deleted)) AS on_the_way
FROM
(
    SELECT
        t.channel AS channel, t.partition AS partition, toInt64(t.received) AS read, toInt64(0) AS before,
        toInt64(t.rekeyed_in) - toInt64(t.rekeyed_out) AS moved, toInt64(0) AS there, toInt64(t.duplicates) AS copies,
        toInt64(t.rejected) AS unusable, toInt64(t.refused) AS kept_out, toInt64(0) AS deleted, t.stored AS counted
    FROM tallies AS t FINAL
    UNION ALL
    SELECT c.channel, c.partition, 0, c.events, 0, 0, 0, 0, 0, 0, 0
    FROM tallies_carried AS c FINAL
    UNION ALL
    SELECT e.channel, e.partition, 0, 0, 0, 0, 0, 0, 0, toInt64(count()), 0
    FROM erased_rows AS e FINAL
    GROUP BY e.channel, e.partition
    UNION ALL
    SELECT
        i.channel,
        toUInt32(kafkaMurmurHash(i.identifier) % (SELECT greatest(max(partitions), 1) FROM tallies)) AS place,
        0, 0, 0, toInt64(count()), 0, 0, 0, 0, 0
    FROM interactions AS i FINAL
    GROUP BY i.channel, place
) AS l
GROUP BY l.channel, l.partition
COMMENT 'What became of all that was received, per channel and partition: received + carried + rekeyed = stored + duplicates + rejected + erased + on_the_way.';

ALTER TABLE ledger
    COMMENT COLUMN channel 'the channel',
    COMMENT COLUMN partition 'where its records were read and stored',
    COMMENT COLUMN received 'records read',
    COMMENT COLUMN carried 'from before counting began',
    COMMENT COLUMN rekeyed 'came from other partitions, less what went to them',
    COMMENT COLUMN stored 'events that are there',
    COMMENT COLUMN duplicates 'copies of known events',
    COMMENT COLUMN rejected 'could not be used',
    COMMENT COLUMN erased 'deleted by an erasure, or kept out by one',
    COMMENT COLUMN on_the_way 'counted, and not in ClickHouse yet';
