"""Who is who: reads evidence and orders, publishes assignments.

process   one batch: evidence and orders in, changed assignments out
known     what it remembers; orders, erasing  what people order; recall  what outlives even its state
queries   what it answers (HTTP, for serve alone); explain, words  who somebody is and why, for people

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
"""
