-- What became of all that was received, by channel and partition. Where `off_by` is not 0, something is lost or made up.
SELECT
    channel, partition, received, carried, rekeyed, stored, duplicates, rejected, erased, on_the_way,
    received + carried + rekeyed - stored - duplicates - rejected - erased - on_the_way AS off_by
FROM ledger
