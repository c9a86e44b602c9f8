-- What became of all that was received: the ledger (view ledger, `throughline ledger`).

CREATE TABLE IF NOT EXISTS tallies
(
    channel     LowCardinality(String) COMMENT 'web, mobile, phone, in_store, chat, message, partner',
    partition   UInt32 COMMENT 'where its records were read and stored',
    partitions  UInt32 COMMENT 'of how many',
    read_to     UInt64 COMMENT 'offset behind the last record of the channel that was read' CODEC(ZSTD(1)),
    gaps        UInt64 COMMENT 'offsets up to there that held no record: markers of transactions, or what was lost' CODEC(ZSTD(1)),
    received    UInt64 COMMENT 'records read, since counting began' CODEC(ZSTD(1)),
    rekeyed_in  UInt64 COMMENT 'came from another partition, where they did not belong' CODEC(ZSTD(1)),
    rekeyed_out UInt64 COMMENT 'went to the partition where they belong' CODEC(ZSTD(1)),
    stored      Int64 COMMENT 'events that were not known; less those that a change of keys moved away' CODEC(ZSTD(1)),
    duplicates  UInt64 COMMENT 'copies of known events' CODEC(ZSTD(1)),
    rejected    UInt64 COMMENT 'could not be used' CODEC(ZSTD(1)),
    refused     UInt64 COMMENT 'about somebody who was erased after them, or who is blocked' CODEC(ZSTD(1)),
    version     UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (channel, partition)
COMMENT 'What became of the records of a channel at a partition number, as stitch counted it. Read it through ledger.';

CREATE TABLE IF NOT EXISTS erased_rows
(
    request   String COMMENT 'the erasure that deleted it' CODEC(ZSTD(1)),
    event     UInt64 COMMENT 'keyed digest of the event: tells two of them apart, and nothing leads back',
    channel   LowCardinality(String) COMMENT 'as it was in interactions',
    partition UInt32 COMMENT 'where it was stored'
)
ENGINE = ReplacingMergeTree
ORDER BY (request, event)
COMMENT 'One row for each event that an erasure deleted from interactions, so that the ledger adds up. Nobody is in it.';

CREATE TABLE IF NOT EXISTS tallies_carried
(
    channel    LowCardinality(String) COMMENT 'as in tallies',
    partition  UInt32 COMMENT 'as in tallies',
    events     Int64 COMMENT 'stored here beyond what was counted: from before counting began',
    rekeyed    Int64 COMMENT 'of the whole channel, at partition 0: came in beyond what had gone out',
    carried_at DateTime64(3, 'UTC') COMMENT 'when somebody said so: only the newest row counts'
)
ENGINE = ReplacingMergeTree(carried_at)
ORDER BY (channel, partition)
COMMENT 'What the ledger begins with, where there was something before: throughline ledger --carry.';
