"""Scripts, styles and pictures of the pages, held in memory under an address that names their content.

A browser keeps what it has from such an address for good and asks no more; another content has another address. One
name stands for all of them together, so that modules which import each other by relative addresses come from one
content too. A page that was open while serve was replaced still finds them, but does not keep them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MOUNT = "/static"
FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Assets:
    """The scripts, styles and pictures of a folder, as they are when it is read; an ASGI app to be mounted at MOUNT."""

    def __init__(self, folder: Path) -> None:
        self._files = {each.name: each.read_bytes() for each in sorted(folder.iterdir()) if each.suffix in _TYPES}
        content = hashlib.blake2b(digest_size=8)
        for name, data in self._files.items():
            content.update(f"{name}\0{len(data)}\0".encode() + data)
        self._content = content.hexdigest()

    def path(self, name: str) -> str:
        """Where a page finds a file. Raises KeyError where there is none of that name."""
        if name not in self._files:
            raise KeyError(name)
        return f"{MOUNT}/{self._content}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        content, _, name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/").rpartition("/")
        data = self._files.get(name)
        if data is None or "/" in content:
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405)
        kept = FOR_GOOD if content == self._content else ASK_AGAIN
        kind = _TYPES[Path(name).suffix]
        await Response(data, headers={"Cache-Control": kept}, media_type=kind)(scope, receive, send)
