"""Tokens for one card in another tool's page: they open it, for some minutes, and nothing else.

A token is signed and kept nowhere, so any serve process reads it. It holds no key and no phone number or address in
clear: whose card it is stands in it as in every path, and it ends soon.
"""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from msgspec import structs

from pipeline.serve.access import Principal, Signer, Ticket
from pipeline.serve.seat import with_verified

TOKEN_MINUTES = 10
TOKEN_CHARS_MAX = 2_048
_Short = Annotated[str, msgspec.Meta(max_length=512)]


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token says: whose card, asked for by which key and why, until when (seconds since 1970)."""

    id: str
    expires: int
    identifier: _Short
    call: _Short
    by: _Short
    purpose: _Short
    verified: tuple[tuple[str, int], ...] = ()

    @property
    def who(self) -> Principal:
        """As the audit names whoever looks at the card."""
        return Principal(f"card:{self.by.removeprefix('key:')}:{self.id}", frozenset({"read"}), session=True)

    @property
    def ticket(self) -> Ticket:
        """The same as a session's that may do nothing but look at this card."""
        return Ticket(self.id, self.expires, ("read",), "", self.verified)

    def having_verified(self, person: str, now_s: float) -> Pass:
        """The same, after the caller was verified; it does not last longer by that."""
        return structs.replace(self, verified=with_verified(self.ticket, self.call, person, now_s).verified)


class Passes:
    """Signs and reads them."""

    def __init__(self, key: str) -> None:
        self._signer = Signer(key, b"desk card 1")
        self._read = msgspec.json.Decoder(Pass)

    def new(self, identifier: str, call: str, by: str, purpose: str, now_s: float) -> Pass:
        """A pass that begins now. `by` is the name of the key that asks."""
        expires = int(now_s) + TOKEN_MINUTES * 60
        return Pass(secrets.token_hex(6), expires, identifier, call, by, purpose)

    def sign(self, given: Pass) -> str:
        """The token."""
        return self._signer.sign(msgspec.json.encode(given))

    def read(self, token: str, now_s: float) -> Pass | None:
        """What a token says; None for one that is forged, broken or over."""
        data = self._signer.read(token) if len(token) <= TOKEN_CHARS_MAX else None
        if data is None:
            return None
        given = self._read.decode(data)
        return given if given.expires > now_s else None
