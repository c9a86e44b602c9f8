"""alert: who has to look at what, and what became of it.

    ClickHouse's views ──look──► causes ──┐
    alerts.actions ──what people do───────┼──decide──► changes ──one transaction──► alerts ──► store, webhook
    the clock ────────────────────────────┘

`looking` asks the views, `causes` puts their answers into words, `domain/alerts` decides (pure), `keeping` holds what
stands and writes it, `answers` tells serve, `webhook` tells others. `main` is the process.

Guarantees
- The topic `alerts` is the truth: whoever starts reads it whole, and goes on. Changes and the positions of the actions
  that they come from are one fenced transaction, so an action has its effect once, and of two processes (or one that
  was frozen and woke) only the one that started last can write.
- One alert a cause, as `domain/alerts` says; `stands_alone` is identify's, listed here and never written.
- What is not seen is not over: where ClickHouse is away, nothing is resolved by itself.
- What is from before somebody's erasure opens no alert, and alerts of theirs go (`erased`), also while a look that saw
  them was under way.
- A tombstone that somebody else wrote (an erasure) takes an alert away for good: where its record comes again, it is
  buried again.

Decisions
- 2026-11-26 No agent of Faust: there is nothing to partition, since a look sees all causes at once, and what stands
  fits into memory. So it is one small loop and a transactional producer.
- 2026-11-26 Causes are looked for in ClickHouse, not in the stream: a dot, a control limit and an overdue complaint
  depend on time and on who is who, which only the views know. An alert is some `alerts_every_s` (5 s) behind them for
  that.
- 2026-11-26 A look starts that long after the one before has ended, and at the earliest after three times as long as
  that one took: so ClickHouse is busy with looks a quarter of the time at most, however much there is. What changes
  slowly is looked at less often: complaints every third time, control charts every 120th.
- 2026-11-26 Who refuses analysis has no alert: those there are get a tombstone at the next look.
- 2026-11-26 serve asks this process, as it asks identify, and not ClickHouse: what somebody has just acknowledged is
  acknowledged in the next list. Resolved alerts are kept 90 days.
"""
