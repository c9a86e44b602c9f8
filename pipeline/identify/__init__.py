"""Who is who: reads evidence and orders, publishes assignments.

process   one batch: evidence and orders in, changed assignments out; waiting  what one batch could not finish
entries, records  what it remembers, as bytes; known  the same as evidence and a graph; forgetting  taking it away
orders, erasing   what people order; recall  what outlives even its state
queries   what it answers (HTTP, for serve alone); explain, everything, words  who somebody is and why, for people

Decisions
- 2026-11-24 Orders and evidence share one log and one worker. An order is judged by what holds at its place in the log;
  what contradicts one that holds is refused, and taking back is an order of its own (withdraw). So there is never a
  question which of two orders counts.
- 2026-11-24 There is no cap on a component's size. One was designed (1,000 identifiers, beyond which everybody in the
  component stands alone), but it lets one kiosk, or anybody with a public key, take the identity of people who have
  nothing to do with it. Instead an identifier stands alone when it has too many stronger ones, owners, weaker ones or
  shared sessions: local, a function of the evidence alone, and each bounds what one piece of evidence can cost.
- 2026-11-24 A part concerns the edges above an identifier. Were edges below it ignored as well, the sessions on a
  device that two people share would become one person's by parting the other's e-mail address.
- 2026-11-24 An erased person is known by seals alone, here and in identity.orders, which a stage that begins from
  nothing reads first.
- 2026-11-27 What public keys say is evidence of its own kind, counted by itself at both of its ends: whoever reads the
  key out of a web page can say it in any number, and then only that is not heard any more. An edge that was said in
  both ways counts in both: so each count only ever grows with evidence, and a cap is a function of the set of it.
- 2026-11-27 Caps bound what is below or above one identifier, not what is below that: one change may concern a million
  identifiers. A batch does a bounded part of it, keeps the rest in the state and asks for another batch. Evidence goes
  on meanwhile, and is settled before what spreads; an order waits until nothing does, and the log behind it.
- 2026-11-27 Who is freed beyond the wider caps begins anew: all evidence so far belongs to an earlier life of the
  identifier and does not count from that moment on, however much it is; it is taken away bit by bit. The identifier
  itself stands in the place of the owners it had, or the next one to log in on a kiosk would inherit its history.
"""
