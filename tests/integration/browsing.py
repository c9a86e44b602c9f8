"""Somebody at the desk, and what they are shown: for tests that look at what names a page, and where it leads."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

from tests.system.product import Product

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class Page:
    """An answer of the desk: what names it, and where it leads."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    links: list[str] = field(default_factory=list)

    @property
    def location(self) -> str:
        return dict(self.headers).get("location", "")


class Browser:
    """Somebody at the desk, who follows no redirect by themselves."""

    def __init__(self, product: Product) -> None:
        self.seen: list[Page] = []
        self._port = product.http_port
        self._cookie = ""
        token = product.command("sign-in").stdout.strip().rpartition("token=")[2]
        self.go("GET", f"/desk/sign-in?token={token}")

    def card(self, path: str) -> Page:
        """A card, with all of it: whoever has opened it says that the caller is verified."""
        page = self.go("GET", path)
        if "/desk/verify" in page.links:
            shown = {name: unescape(value) for name, value in _HIDDEN.findall(page.body.partition("/desk/verify")[2])}
            self.go("POST", "/desk/verify", id=shown["id"], call=shown["call"])
            page = self.go("GET", path)
        return page

    def go(self, method: str, path: str, **form: str) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._cookie}
        try:
            connection.request(method, path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        links = re.findall(r'(?:href|src|action|data-(?:path|person|asked))="([^"]*)"', body)
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self._cookie = value.partition(";")[0]
        page = Page(answer.status, [(name.lower(), value) for name, value in answer.getheaders()], body, links)
        self.seen.append(page)
        return page
