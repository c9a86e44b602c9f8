"""How a change spreads from an identifier to those below it, a bounded stretch at a time.

What stands alone, or is joined, may change what is said of everything below it, and one customer with a thousand
cookies of a thousand devices each has a million identifiers below. So a `Spread` can be left at any moment: what it
holds then (`looks`, `pages`) is little, can be kept anywhere, and is gone on with later, also together with whatever
has changed meanwhile.

Guarantee: when nothing waits, each outcome is what `settle` makes of the evidence, whatever came in between, since an
identifier is looked at again whenever something above it has changed. On the way there the strongest come first, so
that where everything fits into one stretch each identifier is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identity import (
    NO_LINKS,
    NOTHING,
    Change,
    Edges,
    Facts,
    Graph,
    Link,
    Outcome,
    check,
    namespace,
    ranks,
    resolution,
    settle,
)
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import Assignment

PAGE = 256  # identifiers that are begun with at once, of all below one
LOOKS_MAX = 4_096  # that wait to be looked at, before no more pages are begun


class Page(NamedTuple):
    """What is still to be begun with below an identifier."""

    after: str  # see Graph.below
    by_orders: bool
    ordered: bool  # see Change


class Spread:
    """What is to be looked at. The caller takes one change after the other, and has `graph` know it before the next."""

    def __init__(self, graph: Graph, order: Mapping[str, int], caps: Caps = CAPS, page: int = PAGE) -> None:
        """`order`: namespace → rank."""
        self.looks: dict[str, bool] = {}  # identifier → `ordered`
        self.pages: dict[str, Page] = {}  # identifier → what is below it
        self._graph = graph
        self._order = order
        self._caps = caps
        self._page = page
        self._heap: list[tuple[int, int, str]] = []
        self._deep: list[tuple[int, int, str]] = []  # of `pages`: the weakest first, so that few are begun at a time

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.looks or self.pages)

    def add(self, identifiers: Iterable[str], ordered: bool = False) -> None:
        """These are to be looked at."""
        for identifier in identifiers:
            before = self.looks.get(identifier)
            self.looks[identifier] = ordered or bool(before)
            if before is None:
                heappush(self._heap, self._place(identifier))

    def open(self, identifier: str, page: Page) -> None:
        """Those below an identifier are to be looked at."""
        before = self.pages.get(identifier)
        if before is not None:
            page = Page("", page.by_orders and before.by_orders, page.ordered or before.ordered)
        else:
            rank, depth, _ = self._place(identifier)
            heappush(self._deep, (-rank, -depth, identifier))
        self.pages[identifier] = page

    def next(self, pages: bool = True) -> Change | None:
        """Look at the strongest; None where nothing waits. Without `pages`: where only those below others do."""
        while not self.looks:
            if not self.pages or not pages:
                return None
            while self._deep[0][2] not in self.pages:  # done with
                heappop(self._deep)
            self._turn(self._deep[0][2])
        *_, identifier = heappop(self._heap)
        ordered = self.looks.pop(identifier)
        graph = self._graph
        before = graph.outcome(identifier)
        after = settle(graph.facts(identifier), graph.outcome, self._caps)
        if resolution(before) != resolution(after):
            # No evidence below it counts where it stands alone; but by a join it may be somebody's all the same.
            by_orders = bool(before.alone and after.alone)
            now = pages and len(self.looks) < LOOKS_MAX
            found, behind = graph.below(identifier, "", self._page if now else 1, by_orders)
            if now:
                self.add(found, ordered)
            if behind or (found and not now):
                self.open(identifier, Page(behind if now else "", by_orders, ordered))
        return Change(identifier, before, after, ordered)

    def _turn(self, identifier: str) -> None:
        """Begin with a page of those below an identifier."""
        page = self.pages[identifier]
        found, after = self._graph.below(identifier, page.after, self._page, page.by_orders)
        if after:
            self.pages[identifier] = page._replace(after=after)
        else:
            del self.pages[identifier]
        self.add(found, page.ordered)

    def _place(self, identifier: str) -> tuple[int, int, str]:
        """Where it stands: its rank; of those joined within a rank, the nearer to their person first; its name."""
        joined, order = self._graph.joined, self._order
        rank, depth, at = order[namespace(identifier)], 0, identifier
        while (into := joined(at)) and order[namespace(into)] == rank:
            depth, at = depth + 1, into
        return rank, depth, identifier


def reassign(changed: Iterable[str], graph: Graph, order: Mapping[str, int], caps: Caps = CAPS) -> Iterator[Change]:
    """What becomes of identifiers about which something changed, and of those that depend on them, all of it.

    Yields a change for each identifier that it looked at; before it goes on, `graph` must know the outcome.
    """
    spread = Spread(graph, order, caps)
    spread.add(changed)
    while (change := spread.next()) is not None:
        yield change


def assign(
    edges: Edges, namespaces: Sequence[str] = NAMESPACES, caps: Caps = CAPS, public: Edges | None = None
) -> dict[str, Assignment]:
    """The assignment (version 0) of every identifier that the edges connect. `public`: those said with public keys.

    Raises ValueError where an edge does not lead from a stronger to a weaker namespace.
    """
    return {name: outcome.assignment for name, outcome in outcomes(edges, namespaces, caps, public).items()}


def outcomes(
    edges: Edges, namespaces: Sequence[str] = NAMESPACES, caps: Caps = CAPS, public: Edges | None = None
) -> dict[str, Outcome]:
    """The same, with the caps because of which somebody stands alone."""
    whole = _Whole(edges, public or {}, caps)
    order = ranks(namespaces)
    for strong, weak in (*edges, *(public or {})):
        check(strong, weak, order)
    names = {identifier for edge in (*edges, *(public or {})) for identifier in edge}
    for change in reassign(names, whole, order, caps):
        whole.outcomes[change.identifier] = change.after
    return {name: whole.outcome(name) for name in names}


class _Side:
    """Edges of one kind: trusted, or public."""

    def __init__(self, edges: Edges) -> None:
        self.stronger: dict[str, dict[str, Link]] = {}
        self.weaker: dict[str, list[str]] = {}
        for (strong, weak), link in edges.items():
            self.stronger.setdefault(weak, {})[strong] = link
            self.weaker.setdefault(strong, []).append(weak)

    def facts(self, identifier: str, caps: Caps) -> tuple[Mapping[str, Link], int, str]:
        """Its edges from above, how many sessions these came in, and the cap that they exceed."""
        above = self.stronger.get(identifier, NO_LINKS)
        sessions = sum(len(heard) for _, heard in above.values())
        over = "links" if len(above) > caps.links else ""
        if not over and len(self.weaker.get(identifier, ())) > caps.reach:
            over = "reach"
        return above, sessions, over


class _Whole:
    """A graph in memory, of evidence alone."""

    def __init__(self, edges: Edges, public: Edges, caps: Caps) -> None:
        self._caps = caps
        self._trusted, self._public = _Side(edges), _Side(public)
        self.outcomes: dict[str, Outcome] = {}

    def facts(self, identifier: str) -> Facts:
        above, sessions, over = self._trusted.facts(identifier, self._caps)
        public, public_sessions, muted = self._public.facts(identifier, self._caps)
        return Facts(above, sessions=sessions, over=over, public=public, public_sessions=public_sessions, muted=muted)

    def joined(self, identifier: str) -> str:
        return ""

    def below(self, identifier: str, after: str, limit: int, by_orders: bool) -> tuple[Sequence[str], str]:
        sides = (self._trusted.weaker, self._public.weaker)
        return [weak for weaker in sides for weak in weaker.get(identifier, ())], ""

    def outcome(self, identifier: str) -> Outcome:
        return self.outcomes.get(identifier, NOTHING)
