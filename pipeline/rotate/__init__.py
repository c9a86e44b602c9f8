"""The identifier key changes: `throughline keys rotate`, then `throughline keys migrate`. Start at `migration.py`.

What it protects against: somebody has the key, and ClickHouse's rows or an export. With the key alone they can try all
phone numbers, and see whose is which. After a rotation, what is stored and published is under another key.

Guarantees
- Every identifier under the old key leads to the new one, without the value: by `Keyring.current_of` at every entrance,
  and by the migration in everything stored. So a person stays one person, and a duplicate stays known as one.
- The command may be killed at any point and run again. What it has done stays done: each record is renamed with all
  that depends on it in one transaction (Kafka), or put in anew before it is deleted (ClickHouse).
- From its first change until its last, `migrating_to` in secrets.json is set, and no stage starts.
- Nobody works beside it: it takes over the transactional ids of stitch, identify and alert, so that a worker that was
  overlooked can commit nothing more.

It deliberately does not retire a key: identifiers under a later key are derived through the earlier ones, so all of
them stay in secrets.json, and an old identifier in a bookmark, an export or a message still finds its person. Whoever
has all keys and the sealing key can try numbers against every identifier; with the old key alone they cannot.

Decisions
- 2026-11-24 A seal is a link of the chain: the identifier under the next key is derived from the seal of the one
  before (`Keyring`). Of the erased only seals are kept, and they must still refuse what comes after a rotation. So the
  seal's last byte says of which key it is, and a migration makes the new seal from the old one alone. Instead of:
  seals that never change (they cannot be found from an identifier under a new key), or keeping the identifiers of the
  erased in encrypted form (whoever has the secrets could list them).
- 2026-11-24 Records under a seal are put on every partition where their identifier could live, since a seal does not
  say its namespace; two of them under one key are merged.
- 2026-11-24 A renamed profile lives on the partition of its new name, and the counts of its interactions move with
  them between the touchpoint cells of both partitions.
- 2026-11-24 Rows of a renamed identifier come from another partition, whose offsets may be lower. So a row's version
  begins with the layout epoch plus the generation of the key in its own identifier (`store/rows.py`); what is read
  again from before the migration is renamed on the way in, and is older.
- 2026-11-24 The store takes the tombstones of old keys as older than every row of the new ones: rows that the migration
  has renamed go and come again at its next start, in one go with what it reads of the renamed topics.
- 2026-11-24 Messages that wait between the stages are renamed as well, instead of asking people to wait until there
  are none: a stack that is stopped under load always leaves some.
- 2026-11-24 Topics that forget by age (timelines, audit, interactions.rejected) keep what they have, until it ages out.
"""
