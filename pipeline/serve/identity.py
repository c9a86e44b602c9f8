"""The API of identity: who somebody is and why, and the orders of people that decide about it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from pipeline.domain.orders import Free, Join, Part, Withdraw
from pipeline.problems import Problem
from pipeline.serve import access, explained, shapes_identity
from pipeline.serve.access import Principal
from pipeline.serve.api import LIMIT_DEFAULT, LIMIT_MAX, PROBLEMS, PURPOSE_DOC, Id, encoded, now_ms, usable_id
from pipeline.serve.audit import Unaudited
from pipeline.serve.orders import UNKNOWN, Orders, Reused, order_id
from pipeline.serve.parts import Parts
from pipeline.serve.shapes_identity import Named
from pipeline.serve.workers import Deadline
from pipeline.serve.writing import Unwritten

KEY_CHARS_MAX = 128
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Given = Join | Part | Free | Withdraw

OrderId = Annotated[str, Path(max_length=128, pattern=r"^[\w.-]+$", description="As the order's answer gave it.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_CHARS_MAX,
        description="A text of yours: the same order with the same key is given once, however often it is sent.",
    ),
]
_ORDERED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes_identity.OrderDone, "description": "It has taken effect: every lookup from now on shows it."},
    202: {
        "model": shapes_identity.OrderDone,
        "description": "It is recorded; `outstanding` says who may not know it yet. Ask again with the same "
        "`Idempotency-Key`, or `GET /v1/identity/orders/{order_id}`.",
    },
    409: {
        "model": shapes_identity.Refusal,
        "description": "Refused: it contradicts an order that holds, or is about what cannot be; `detail` says why.",
    },
    422: {"model": shapes_identity.Refusal, "description": "The `Idempotency-Key` was used for another order."},
}


def router(parts: Parts) -> APIRouter:
    """The routes under /v1 that say and decide who is who."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["identity"])
    _explaining(routes, parts)
    _ordering(routes, parts)
    _reading(routes, parts)
    return routes


def _explaining(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/customers/{id:path}/identity",
        response_model=shapes_identity.IdentityAnswer,
        response_description="Everything that resolves to this person, or may.",
        summary="Who is it, and why?",
        openapi_extra=PURPOSE_DOC,
    )
    async def identity(request: Request, id: Id) -> Response:
        """Every identifier of the person that the id resolves to: since when, on which evidence, by which rule.

        Also what is not resolved: identifiers that several persons share, with whom to ask about, and those that
        stand alone because too much is connected with them. Nothing is guessed about either.
        """
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        asked = usable_id(id, parts.keyring)
        answer, shown = await explanation(parts, asked)
        outcome = f"{len(answer['identifiers'])} identifiers"
        await parts.audit.looked_up("identity", who, purpose, [asked], shown, outcome)
        return encoded(answer)


async def explanation(parts: Parts, asked: str) -> tuple[dict[str, Any], Sequence[str]]:
    """The answer about who an id is, and everyone of whom it tells. Raises IdentifyAway, Unavailable."""
    said = await parts.identities.identity(asked)
    deadline = parts.workers.deadline()
    candidates = explained.candidates(said)
    cards = await parts.lookup.cards(candidates, deadline)
    # Nobody's own profile has seen the mask of what several share; theirs have.
    knowing = said["person"] or next(iter(candidates), asked)
    masks = await parts.lookup.masks(knowing, now_ms(), deadline)
    return explained.identity(said, cards, masks), explained.concerned(said)


def _ordering(routes: APIRouter, parts: Parts) -> None:
    options: dict[str, Any] = {"responses": _ORDERED, "response_description": "It has taken effect."}
    ordering = Ordering(parts)

    @routes.post("/identity/join", summary="These two are one person", **options)
    async def join(request: Request, asked: shapes_identity.JoinRequest, key: IdempotencyKey = None) -> Response:
        """From now on `into` is the only owner of `from`, and all that was ever kept under it. Scope `admin`.

        `into` must be of the same or a stronger kind. Joins cannot form a ring, and do not overrule a parting: what
        contradicts an order that holds is refused, and says which one to withdraw first. Works while events stream in.
        """
        who = parts.gate.require(request, "admin")
        start, into = ordering.named(asked.from_, "from"), ordering.named(asked.into, "into")
        told = Join(order_id(who.name, key), start, into, ordering.reason(asked.reason), who.name, now_ms())
        return await ordering.give(told, "join", who, [start, into], key)

    @routes.post("/identity/part", summary="This does not belong to that person", **options)
    async def part(request: Request, asked: shapes_identity.PartRequest, key: IdempotencyKey = None) -> Response:
        """No evidence that the identifier is the person's counts any more, also none that comes later. Scope `admin`.

        Both timelines, scores and reports are then exactly as if there had never been any. What an order has joined
        is parted by withdrawing that order.
        """
        who = parts.gate.require(request, "admin")
        what, person = ordering.named(asked.identifier, "identifier"), ordering.named(asked.person, "person")
        told = Part(order_id(who.name, key), what, person, ordering.reason(asked.reason), who.name, now_ms())
        return await ordering.give(told, "part", who, [what, person], key)

    @routes.post("/identity/free", summary="Let it belong to more than usual", **options)
    async def free(request: Request, asked: shapes_identity.FreeRequest, key: IdempotencyKey = None) -> Response:
        """An identifier that stands alone because of a cap gets a wider one. Scope `admin`.

        Where it has wider caps already, or more evidence than these allow, what was said of it so far is forgotten,
        and it begins anew: what was under it until then stays with it. That cannot be taken back. Of one that is only
        not heard through public keys, what these said is forgotten, and nothing else.
        """
        who = parts.gate.require(request, "admin")
        what = ordering.named(asked.identifier, "identifier")
        told = Free(order_id(who.name, key), what, ordering.reason(asked.reason), who.name, now_ms())
        return await ordering.give(told, "free", who, [what], key)

    @routes.post("/identity/withdraw", summary="Take an order back", **options)
    async def withdraw(
        request: Request, asked: shapes_identity.WithdrawRequest, key: IdempotencyKey = None
    ) -> Response:
        """A join, parting or freeing no longer holds; everything is as if it had never been given. Scope `admin`."""
        who = parts.gate.require(request, "admin")
        reason = ordering.reason(asked.reason)
        told = Withdraw(order_id(who.name, key), asked.order_id, reason, who.name, now_ms())
        return await ordering.give(told, "withdraw", who, [], key)


class Ordering:
    """What the four orders have in common."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._orders: Orders = parts.orders

    def named(self, said: Named, field: str) -> str:
        """The identifier that somebody named. Raises Problem 400."""
        if isinstance(said, str):
            return usable_id(said, self._parts.keyring)
        return self._parts.identify(said.namespace, said.value, field)

    def reason(self, said: str) -> str:
        """The reason without what must not be kept in clear: people write down numbers."""
        return self._parts.masked(said)

    async def give(self, order: Given, kind: str, who: Principal, subjects: Sequence[str], key: str | None) -> Response:
        """Give an order and wait for its effect. Raises Problem, IdentifyAway, Unaudited."""
        deadline = self._orders.deadline()
        ordered = await self._before(order) if key is not None else None
        if ordered is None:
            audited = (kind, who, subjects, order.reason, order.order_id)
            await self._parts.audit.ordered(*audited, "given")
            ordered = await self._given(order, deadline)
            with contextlib.suppress(Unaudited):  # that it was given is on record, and identify's word as well
                await self._parts.audit.ordered(*audited, ordered["state"])
        return await self._answer(ordered, deadline)

    async def _before(self, order: Given) -> dict[str, Any] | None:
        try:
            return await self._orders.known(order)
        except Reused as error:
            detail = "This Idempotency-Key was used for another order: send a new one."
            raise Problem(422, "idempotency_key_reused", detail, order_id=order.order_id) from error

    async def _given(self, order: Given, deadline: Deadline) -> dict[str, Any]:
        try:
            return await self._orders.give(order, deadline)
        except Unwritten as error:
            detail = (
                f"The order may or may not be recorded ({error}): GET /v1/identity/orders/{order.order_id} says which."
            )
            raise Problem(503, "order_unconfirmed", detail, {"Retry-After": "1"}, order_id=order.order_id) from error

    async def _answer(self, ordered: dict[str, Any], deadline: Deadline) -> Response:
        if ordered["state"] == "refused":
            raise Problem(409, "refused", ordered["reason"], order_id=ordered["order_id"])
        waiting = await self._orders.outstanding(ordered, deadline)
        complete = not waiting and ordered["state"] != UNKNOWN and not ordered.get("spreading", False)
        answer: dict[str, Any] = {
            "order_id": ordered["order_id"],
            "state": ordered["state"],
            "effect": "complete" if complete else "outstanding",
            "changed": [each["identifier"] for each in ordered.get("changed", ())],
        }
        if not complete:
            answer["outstanding"] = [{"profile": each.profile, "identifier": each.sender} for each in waiting]
        return encoded(answer, 200 if complete else 202)


def _reading(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/identity/orders",
        response_model=shapes_identity.OrdersAnswer,
        response_description="A page of orders, newest first.",
        summary="What was ordered",
        openapi_extra=PURPOSE_DOC,
    )
    async def orders(
        request: Request,
        limit: Limit = LIMIT_DEFAULT,
        before: Annotated[int | None, Query(ge=1, le=2**53, description="`next` of the page before.")] = None,
    ) -> Response:
        """Every order that was ever given, also those that were refused or withdrawn. Scope `admin`."""
        who = parts.gate.require(request, "admin")
        purpose = access.purpose(request, who)
        said = await parts.identities.orders(limit, before)
        shown = [explained.order(each) for each in said["orders"]]
        await parts.audit.looked_up("orders", who, purpose, [], _named(shown), f"{len(shown)} orders")
        return encoded({"orders": shown, "next": said["next"]})

    @routes.get(
        "/identity/orders/{order_id}",
        response_model=shapes_identity.OrderAnswer,
        response_description="The order, and what came of it.",
        summary="One order",
        openapi_extra=PURPOSE_DOC,
        responses={404: {"model": shapes_identity.Refusal, "description": "No such order was decided, so far."}},
    )
    async def order(request: Request, order_id: OrderId) -> Response:
        """What was said, and whether it holds. Scope `admin`."""
        who = parts.gate.require(request, "admin")
        purpose = access.purpose(request, who)
        said = await parts.identities.order(order_id)
        if said["state"] == UNKNOWN:
            raise Problem(404, "unknown_order", "No order with this id has been decided, so far.")
        shown = explained.order(said)
        await parts.audit.looked_up("order", who, purpose, [], _named([shown]), shown["state"])
        return encoded(shown)

    @routes.get(
        "/identity/alone",
        response_model=shapes_identity.AloneAnswer,
        response_description="A page of identifiers that stand alone.",
        summary="Who stands alone because of a cap",
        openapi_extra=PURPOSE_DOC,
    )
    async def alone(
        request: Request,
        limit: Limit = LIMIT_DEFAULT,
        after: Annotated[
            str, Query(max_length=shapes_identity.ID_CHARS_MAX, description="`next` of the page before.")
        ] = "",
    ) -> Response:
        """Test accounts, kiosks, bots: too much is connected with them to be anybody's. Scope `admin`.

        Their interactions are stored all the same, and `POST /v1/identity/free` gives one of them a wider cap. Where
        `public` is true only what public keys said does not count, and what trusted sources said does.
        """
        who = parts.gate.require(request, "admin")
        purpose = access.purpose(request, who)
        said = await parts.identities.alone(limit, after)
        shown = [explained.alone(each) for each in said["alone"]]
        ids = [each["identifier"] for each in shown]
        await parts.audit.looked_up("alone", who, purpose, [], ids, f"{len(ids)} identifiers")
        return encoded({"alone": shown, "next": said["next"] or None})


def _named(orders: Sequence[dict[str, Any]]) -> list[str]:
    """Whom orders are about."""
    fields = ("from", "into", "identifier", "person")
    return list(dict.fromkeys(who for each in orders for name in fields if (who := each[name]) and ":" in who))
