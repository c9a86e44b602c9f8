"""An interaction in one short plain sentence, for people who read a timeline.

Known types get words of their own; any other is spelled out as it is. Texts that a person or a source wrote are
quoted, and cut. Nothing here is personal beyond what the interaction itself says: a profile update names its traits,
not their values.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.complaints import CLOSED_WITH
from pipeline.domain.interaction import Interaction
from pipeline.domain.shelves import order_id

QUOTED_CHARS_MAX = 120


def summary(x: Interaction) -> str:
    """The sentence, without a full stop."""
    words = _WORDS.get(x.type)
    if words is not None:
        return words(x)
    return plain(x.type.replace("_", " "))


def plain(text: str) -> str:
    """Cut to a readable length, with a capital."""
    short = _cut(text.strip()) or "Interaction"
    return short[0].upper() + short[1:]


def amount(x: Interaction) -> float | None:
    """What an order or cart comes to: as it says, or else the sum of its items where all have a price."""
    said = x.measures.get("amount")
    if said is not None or not x.items:
        return said
    total = 0.0
    for item in x.items:
        if item.price is None:
            return None
        total += item.quantity * item.price
    return round(total, 4)


def pieces(x: Interaction) -> int | None:
    """How many things are in an order or cart, where it says."""
    if x.items:
        return round(sum(item.quantity for item in x.items))
    said = x.measures.get("items")
    return None if said is None else round(said)


def number(x: Interaction, name: str) -> float | None:
    """A measure, or a channel's own field that is a number."""
    value = x.measures.get(name, x.details.get(name))
    return None if value is None or isinstance(value, str | bool) else float(value)


def duration(seconds: float) -> str:
    """Like 40 s, 3 min, 2 h 5 min."""
    s = round(seconds)
    if s < 90:
        return f"{s} s"
    minutes = round(s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _cut(text: str) -> str:
    return text if len(text) <= QUOTED_CHARS_MAX else text[: QUOTED_CHARS_MAX - 1] + "…"


def _quoted(text: str) -> str:
    return f"“{_cut(text)}”"


def _counted(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def _searched(x: Interaction) -> str:
    query, results = x.properties.get("query", ""), x.measures.get("results")
    what = f"Searched for {_quoted(query)}" if query else "Searched"
    if results is None:
        return what
    return f"{what} ({_counted(round(results), 'result') if results else 'no results'})"


def _viewed(x: Interaction) -> str:
    product = x.properties.get("product_name") or x.properties.get("product")
    if product:
        return f"Looked at {_quoted(product)}"
    page = x.properties.get("page")
    return f"Viewed the page {_quoted(page)}" if page else "Viewed a page"


def _money(x: Interaction) -> str:
    value = amount(x)
    if value is None:
        return ""
    return f" for {value:,.2f} {_cut(x.properties.get('currency', ''))}".rstrip()


def _cart(x: Interaction) -> str:
    n = pieces(x)
    if n == 0 or (n is None and not amount(x)):
        return "Emptied the cart"
    return f"Put {_counted(n, 'item')} into the cart{_money(x)}" if n else f"Changed the cart{_money(x)}"


def _ordered(x: Interaction) -> str:
    n = pieces(x)
    return f"Ordered {_counted(n, 'item')}{_money(x)}" if n else f"Placed an order{_money(x)}"


def _order(words: str) -> Callable[[Interaction], str]:
    def say(x: Interaction) -> str:
        order = order_id(x)
        reason = x.properties.get("reason", "")
        said = f"{words} {_cut(order)}" if order else words
        return f"{said}: {_cut(reason)}" if reason else said

    return say


def _goal(words: str) -> Callable[[Interaction], str]:
    return lambda x: f"{words} {_quoted(x.goal)}" if x.goal else f"{words} a goal"


def _call(x: Interaction) -> str:
    queue = x.details.get("queue")
    return f"Calls ({_cut(str(queue))})" if queue else "Calls"


def _contact(words: str) -> Callable[[Interaction], str]:
    def say(x: Interaction) -> str:
        parts = []
        if (wait := number(x, "wait_s")) is not None:
            parts.append(f"waited {duration(wait)}")
        if (handled := number(x, "handle_s")) is not None:
            parts.append(f"talked {duration(handled)}")
        elif (lasted := number(x, "duration_s")) is not None:
            parts.append(f"took {duration(lasted)}")
        if transfers := number(x, "transfers"):
            parts.append(_counted(round(transfers), "transfer"))
        if outcome := x.details.get("outcome"):
            parts.append(_cut(str(outcome)).lower())
        if x.issue:
            parts.append(f"about {_quoted(x.issue)}")
        return f"{words}: {', '.join(parts)}" if parts else words

    return say


def _survey(x: Interaction) -> str:
    comment = x.properties.get("comment", "")
    a = x.answer
    said = "Answered a survey" if a is None else f"Answered {a.value:g} of {a.min:g} to {a.max:g}"
    if a is not None and a.question:
        said += f" on {_cut(a.question.replace('_', ' '))}"
    return f"{said}: {_quoted(comment)}" if comment else said


def _about(words: str) -> Callable[[Interaction], str]:
    def say(x: Interaction) -> str:
        what = x.issue or x.properties.get("comment", "") or x.properties.get("text", "")
        return f"{words}: {_quoted(what)}" if what else words

    return say


def _closed(x: Interaction) -> str:
    said = _about("Complaint closed")(x)
    cause, step = (x.properties.get(name, "") for name in CLOSED_WITH)
    reasons = [f"{words} {_quoted(text)}" for words, text in (("cause", cause), ("next", step)) if text]
    return f"{said} ({', '.join(reasons)})" if reasons else said


def _updated(x: Interaction) -> str:
    names = ", ".join(sorted(x.properties))
    return f"Updated {_cut(names)}" if names else "Updated the profile"


def _preference(x: Interaction) -> str:
    chosen = ", ".join(f"{option}: {choice}" for option, choice in sorted(x.properties.items()))
    return f"Prefers {_cut(chosen)}" if chosen else "Set a preference"


_WORDS: dict[str, Callable[[Interaction], str]] = {
    "searched": _searched,
    "page_viewed": _viewed,
    "product_viewed": _viewed,
    "cart_updated": _cart,
    "order_placed": _ordered,
    "order_cancelled": _order("Cancelled order"),
    "order_returned": _order("Returned order"),
    "delivery_promised": _order("Delivery promised, order"),
    "delivered": _order("Delivered order"),
    "delivery_failed": _order("Delivery failed, order"),
    "goal_started": _goal("Started"),
    "goal_completed": _goal("Reached"),
    "goal_abandoned": _goal("Gave up"),
    "identified": lambda x: "Said who they are",
    "profile_updated": _updated,
    "preference_set": _preference,
    "call_ringing": _call,
    "call_answered": _contact("Call answered"),
    "call_ended": _contact("Call ended"),
    "chat_started": _about("Started a chat"),
    "chat_answered": _contact("Chat answered"),
    "chat_ended": _contact("Chat ended"),
    "visit_started": _about("Came in"),
    "visit_ended": _contact("Visit"),
    "survey_answered": _survey,
    "complaint_opened": _about("Complained"),
    "complaint_updated": _about("Added to a complaint"),
    "complaint_acknowledged": _about("Complaint acknowledged"),
    "complaint_assessed": _about("Complaint assessed"),
    "complaint_investigated": _about("Complaint investigated"),
    "complaint_responded": _about("Complaint answered"),
    "complaint_closed": _closed,
    "compliment_given": _about("Gave a compliment"),
}
