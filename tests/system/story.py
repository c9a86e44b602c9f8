"""People of one test's own, and what happens to them, told to the running product. Imports nothing of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.system.product import Answer, Product

PURPOSE = {"Throughline-Purpose": "test"}


class Story:
    """Persons and a phone number of this test's own, and what happens to them."""

    def __init__(self, product: Product) -> None:
        self.product = product
        chosen = uuid4()
        self.mark = f"t{chosen.hex[:8]}"  # no number, whatever its digits
        self.phone = f"+1 415 55{chosen.int % 100_000:05d}"
        self._now = datetime.now(UTC)

    def customer(self, name: str) -> str:
        """The id of a customer."""
        return f"customer:{name}-{self.mark}"

    def browser(self, name: str) -> str:
        """The id of a browser."""
        return f"anonymous:{name}-{self.mark}"

    def event(self, event_id: str, minutes_ago: float, session: str = "", **fields: Any) -> dict[str, Any]:
        """An event; `who` names its identifiers."""
        who = fields.pop("who")
        at = (self._now - timedelta(minutes=minutes_ago)).isoformat()
        base = {
            "channel": "phone",
            "source": "test",
            "type": "call_ended",
            "touchpoint": "call_queue",
            "event_id": f"{event_id}-{self.mark}",
            "occurred_at": at,
            "session_id": f"{session}-{self.mark}" if session else "",
        }
        return base | fields | {"identifiers": {name: self.named(name, value) for name, value in who.items()}}

    def named(self, namespace: str, value: str) -> str:
        """A value of this test's own."""
        return value if namespace == "phone" else f"{value}-{self.mark}"

    def get(self, path: str, key: str = "read") -> Any:
        """GET, which must succeed."""
        answer = self.product.ask("GET", path, key=key, headers=PURPOSE)
        assert answer.status == 200, answer
        return answer.json

    def order(self, kind: str, **body: Any) -> Answer:
        """Give an order."""
        return self.product.ask("POST", f"/v1/identity/{kind}", {"reason": "a test", **body}, key="admin")

    def done(self, kind: str, **body: Any) -> dict[str, Any]:
        """An order that has taken effect when it is answered."""
        answer = self.order(kind, **body)
        assert answer.status == 200, answer
        assert answer.json["effect"] == "complete"
        return dict(answer.json)

    def timeline(self, identifier: str) -> set[str]:
        """The event ids on the timeline of whoever that is."""
        page = self.get(f"/v1/customers/{identifier}/timeline?limit=200")
        return {each["event_id"].removesuffix(f"-{self.mark}") for each in page["timeline"]}

    def stored(self, identifier: str) -> set[str]:
        """The event ids that ClickHouse gives a person."""
        rows = self.product.sql(f"SELECT event_id FROM interactions_by_person WHERE person = '{identifier}'")
        return {row["event_id"].removesuffix(f"-{self.mark}") for row in rows}

    def candidates(self) -> set[str]:
        """Whom the phone may be; none where it is one person's."""
        said = self.product.context("phone", self.phone)
        return {each["id"] for each in said["candidates"]}

    def figures(self, identifier: str) -> list[list[dict[str, Any]]]:
        """What three reports say of a person, but for names: how they are served now, every day, and who they are."""
        one = f"person = '{identifier}'"
        some = "overall_n + gap_n + repeat_contacts > 0"
        return [
            self.product.sql(f"SELECT * EXCEPT person FROM customer_current WHERE {one}"),
            self.product.sql(
                f"SELECT * EXCEPT (person, version) FROM customer_scores FINAL WHERE {one} AND {some} ORDER BY day"
            ),
            self.product.sql(f"SELECT * EXCEPT (person, identifiers), length(identifiers) FROM persons WHERE {one}"),
        ]
