"""Faust in batches: one fenced transaction per batch and partition number.

`Spec` says what an app reads and where its state is; `Engine` owns partition numbers; `EngineApp` is the Faust app
whose agent is `async for batch in batches`. See `ownership` for the order of effects that makes it exact.

It deliberately does not: retry a failed batch (the process ends, the supervisor starts it, the next owner's fence
decides what became of the transaction), share state between numbers, or notice a process that hangs.

Decisions
- 2026-11-23 Faust's consumer, conductor, tables and producer are left out through its boot strategy instead of being
  patched from within: one consumer of ours on the worker's loop, RocksDB opened by us. What stays of Faust (app,
  worker, services, agent, stream) is reached by its public hooks but for one method of the app and one of aiokafka's
  coordinator, which a test names.
- 2026-11-23 Reads come from committed state only, so a batch's changes need no swapping: they live in the batch until
  the commit, and the agent's cache of decoded records is never read by queries.
- 2026-11-23 Two batches of one number begin at least 50 ms apart (`Limits.batch_interval_s`). With eight numbers and a
  thousand events a second every transaction held three records, and the broker was busy with markers: the 99th
  percentile of a context query went from 90 to 40 ms, at the price of some 50 ms of the median until visible.
- 2026-11-24 What other profiles say through the inbox does not wait for the next batch of sources: a login is four
  transactions in a row (stitch, identify, stitch of the visitor, stitch of the customer), and each waited its 50 ms.
  From 70 to 45 ms without load; under load it costs nothing that could be measured.
- 2026-11-27 The consumer asks the broker at most every 20 ms (`kafka.space_fetches`). It had asked again with every
  record, naming a hundred partitions each time. On a machine that had no processor time left at a thousand events a
  second, the 99th percentile until visible went from 1.1 to 0.4–0.7 s with it.
- 2026-11-27 One machine has as many partition numbers as processors (`local.home.with_partitions`). What a transaction
  costs does not depend on how much is in it (requests, records of the broker's own log, a marker in each partition):
  with eight numbers the broker took a third of two processors at a hundred events a second as at a thousand. One
  transaction over all numbers of a worker would save the same, but a number could not be fenced by itself.
- 2026-11-27 Nor does a partition whose records lie here hold up others: aiokafka asks a broker for nothing, for 100 ms,
  while there is one, and with few numbers there nearly always is: the inbox waited. A login, which is four transactions
  in a row, went from 250 to 205 ms (median at a thousand events a second).
- 2026-11-27 The loop is uvloop's, as in the stages that answer HTTP: half of what a worker does at a thousand events a
  second is sockets. Its share of a processor went from 31 to 27 %, the 99th percentile of a login from 0.34–0.53 to
  0.32–0.36 s.
- 2026-11-23 A standby copy says when its owner wrote the newest change in it, not when the copy was read: while the
  owner is away a copy that has all there is is still old.
"""

from pipeline.engine.app import EngineApp, run_worker
from pipeline.engine.batch import Batch, Record, Sent
from pipeline.engine.pace import paced
from pipeline.engine.service import Engine, NotMine, Tidied
from pipeline.engine.spec import Limits, Spec
from pipeline.engine.store import Store

__all__ = [
    "Batch",
    "Engine",
    "EngineApp",
    "Limits",
    "NotMine",
    "Record",
    "Sent",
    "Spec",
    "Store",
    "Tidied",
    "paced",
    "run_worker",
]
