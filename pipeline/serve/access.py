"""Who asks, and what they may: API keys with scopes, and the desk's signed sessions."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from fastapi import Request

from pipeline.problems import Problem, bad_request

COOKIE = "throughline_desk"
SESSION_S = 12 * 3600
#: A printed sign-in link that nobody used ends after this time.
LINK_S = 12 * 3600
PURPOSE_HEADER = "Throughline-Purpose"
PURPOSE_CHARS_MAX = 64
DESK_PURPOSE = "agent desk"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is for the audit: which key, or which desk session."""

    name: str
    scopes: frozenset[str]
    session: bool = False


class Ticket(msgspec.Struct, frozen=True):
    """What a session cookie says. It is signed, so all that the session has to remember is in it."""

    id: str
    expires: int  # seconds since 1970
    scopes: tuple[str, ...] = ("read",)
    extension: str = ""  # where the agent's phone rings
    verified: tuple[tuple[str, int], ...] = ()  # marks of callers, each with the second until which it holds


class Signer:
    """Signs bytes for one use, and reads what it has signed: what is signed for another use is not."""

    def __init__(self, key: str, use: bytes) -> None:
        self._key = hmac.digest(key.encode(), use, "sha256")

    def sign(self, body: bytes) -> str:
        """The bytes with their seal, as text that a cookie or an address may hold."""
        return f"{_text(body)}.{_text(hmac.digest(self._key, body, 'sha256'))}"

    def read(self, text: str) -> bytes | None:
        """The bytes; None for what is forged or broken."""
        body, _, seal = text.partition(".")
        try:
            data, sealed = _bytes(body), _bytes(seal)
        except (binascii.Error, ValueError):
            return None
        return data if hmac.compare_digest(sealed, hmac.digest(self._key, data, "sha256")) else None


class Sessions:
    """Signs and reads the desk's cookies. Nothing is kept: a restart signs nobody out."""

    def __init__(self, key: str) -> None:
        self._signer = Signer(key, b"desk session 1")

    def sign(self, ticket: Ticket) -> str:
        """The cookie's value."""
        return self._signer.sign(msgspec.json.encode(ticket))

    def new(self, now_s: float) -> str:
        """The cookie's value of a session that starts now."""
        return self.sign(Ticket(secrets.token_hex(6), int(now_s) + SESSION_S))

    def read(self, cookie: str, now_s: float) -> Principal | None:
        """Whose cookie it is; None for one that is forged, broken or over."""
        ticket = self.ticket(cookie, now_s)
        return Principal(f"desk:{ticket.id}", frozenset(ticket.scopes), session=True) if ticket else None

    def ticket(self, cookie: str, now_s: float) -> Ticket | None:
        """What a cookie says; None for one that is forged, broken or over."""
        data = self._signer.read(cookie)
        if data is None:
            return None
        ticket = msgspec.json.decode(data, type=Ticket)
        return ticket if ticket.expires > now_s else None


class Links:
    """One-time sign-in links: a file named by the token's hash, put there by whoever may hand out links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> str:
        """A new link's token."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = secrets.token_urlsafe(24)
        self._file(token).touch(mode=0o600, exist_ok=False)
        return token

    def use(self, token: str, now_s: float) -> bool:
        """Use a link up. True for exactly one caller, and only for a link that exists and is not over."""
        if not _TOKEN.fullmatch(token):
            return False
        file = self._file(token)
        try:
            made_s = file.stat().st_mtime
            file.unlink()
        except FileNotFoundError:
            return False
        return now_s - made_s < LINK_S

    def _file(self, token: str) -> Path:
        return self._folder / hashlib.sha256(token.encode()).hexdigest()


class Gate:
    """Tells who asks, from a bearer key or a session cookie."""

    def __init__(self, keys: Mapping[str, tuple[str, frozenset[str]]], sessions: Sessions) -> None:
        """`keys`: each key with its name and scopes."""
        self._keys = {hashlib.sha256(key.encode()).digest(): known for key, known in keys.items()}
        self._sessions = sessions

    def principal(self, request: Request) -> Principal | None:
        """Who asks; None where nobody we know does. A bearer key counts before a cookie."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                return None
            # Found by its hash: the time this takes says nothing about a key that is nearly right.
            known = self._keys.get(hashlib.sha256(key.strip().encode()).digest())
            return Principal(f"key:{known[0]}", known[1]) if known else None
        return self._sessions.read(request.cookies.get(COOKIE, ""), time.time())

    def require(self, request: Request, scope: str) -> Principal:
        """Who asks, if they may. Raises Problem 401 or 403."""
        principal = self.principal(request)
        if principal is None:
            raise Problem(
                401,
                "no_key",
                "Send the header 'Authorization: Bearer <read key>'; keys.json in THROUGHLINE_HOME has it.",
                {"WWW-Authenticate": 'Bearer realm="throughline"'},
            )
        if scope not in principal.scopes:
            raise Problem(403, "missing_scope", f"This key has no scope '{scope}': use one that has.")
        # Cookies travel with whatever page asks; other ports of this machine even count as the same site.
        if principal.session and request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Problem(403, "other_origin", "A desk session answers only to the desk's own pages.")
        return principal


def purpose(request: Request, principal: Principal) -> str:
    """Why they ask: the header; a desk session may say it in the query (EventSource sets no headers) or not at all.

    Raises Problem 400 where it is missing, or not 1 to 64 printable characters.
    """
    said = request.headers.get(PURPOSE_HEADER)
    if said is not None and not said.isascii():  # headers arrive as Latin-1, whatever they were
        with contextlib.suppress(UnicodeError):
            said = said.encode("latin-1").decode()
    if said is None and principal.session:
        said = request.query_params.get("purpose", DESK_PURPOSE)
    if said is None:
        raise bad_request(
            "missing_purpose",
            f"Say why you look: send the header '{PURPOSE_HEADER}' with 1 to {PURPOSE_CHARS_MAX} characters, "
            "such as 'support call'.",
        )
    return usable_purpose(said)


def usable_purpose(said: str) -> str:
    """The purpose without the blanks around it. Raises Problem 400."""
    text = said.strip()
    if not 1 <= len(text) <= PURPOSE_CHARS_MAX or not text.isprintable():
        raise bad_request(
            "bad_purpose", f"The purpose must be 1 to {PURPOSE_CHARS_MAX} printable characters, such as 'support call'."
        )
    return text


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
