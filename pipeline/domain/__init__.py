"""The rules, as values and functions: no I/O, no clock, no framework.

``assign`` says who is who from a set of evidence; ``advance`` takes a profile one message further.
Everything else in here is what those two read and write.

Decisions
- 2026-11-23 Every copy of an event is evidence of identity, and the earliest time counts: so evidence stays a plain set
  union, although of the interactions only the copy received first counts.
- 2026-11-23 A person keeps up to a view's size of each identifier that is theirs, not in all: what one slice pushed out
  of the view is shown again when that slice leaves.
- 2026-11-23 An identifier depends only on what is stronger, so new evidence settles anew only what it reaches, not the
  whole component; a test holds that equal to settling everything.
- 2026-11-23 A key that several persons share settles on one of them when another key of the same question names them.
- 2026-11-23 Expiry of what is known of duplicates, caps, orders, erasure and source lists are left out here: the pieces
  they need (records of their own per event, one log of evidence) are in place.
"""
