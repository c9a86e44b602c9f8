"""What stands under older identifier keys, under the current one: texts, and whatever holds them.

A keyed identifier is known by its shape, `phone:k1.` and 32 hexadecimal digits, wherever it stands in a text. So what
may hold one need not be listed: records and messages are renamed as the plain values that they are made of.
Hashes of identifiers cannot be found like this; who keeps them (`pipeline/rotate`) makes them anew.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import NAMESPACES

_unpack = msgspec.msgpack.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode
_parse = msgspec.json.Decoder().decode
_dump = msgspec.json.Encoder().encode


class Renaming:
    """Leads all identifiers under older keys to the current one, and leaves everything else as it is."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._marks = tuple(f":{name}.".encode() for name in keyring.older)
        #: What an identifier under an older key looks like; RE2 reads it as Python does. None: there is no older key.
        self.pattern = (
            f"({'|'.join(NAMESPACES)}):({'|'.join(keyring.older)})[.][0-9a-f]{{32}}" if keyring.older else None
        )
        self._old = re.compile(self.pattern or r"(?!)")

    def concerns(self, data: bytes) -> bool:
        """Whether there may be an old identifier in encoded data. Cheap, and never wrongly False."""
        return any(mark in data for mark in self._marks)

    def text(self, text: str) -> str:
        """A text with current identifiers."""
        return self._old.sub(lambda found: self._keyring.current_of(found[0]), text)

    def value(self, value: Any) -> Any:
        """Lists, tuples and dicts, as deep as they go, with current identifiers in all their texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, tuple):
            return tuple(self.value(each) for each in value)
        if isinstance(value, dict):
            return {self.value(name): self.value(each) for name, each in value.items()}
        return value

    def packed(self, data: bytes) -> bytes:
        """MessagePack with current identifiers. Raises msgspec.DecodeError where it is none."""
        return _pack(self.value(_unpack(data))) if self.concerns(data) else data

    def json(self, data: bytes) -> bytes:
        """JSON with current identifiers. Raises msgspec.DecodeError where it is none."""
        return _dump(self.value(_parse(data))) if self.concerns(data) else data

    def seal(self, seal: bytes) -> bytes:
        """The seal of the identifier under the current key."""
        return self._keyring.reseal(seal)

    def sealed(self, seal: str) -> str:
        """The same in hexadecimal digits."""
        return self._keyring.reseal(bytes.fromhex(seal)).hex()

    def rank(self, identifier: str) -> int:
        """How many keys there were before the one that keyed an identifier; 0 also where none did."""
        return max(0, self._keyring.generation(identifier) - 1)

    def behind(self, seal: bytes) -> tuple[str, ...]:
        """As `Keyring.behind`."""
        return self._keyring.behind(seal)


#: Where there is no older key.
NOTHING_RENAMED = Renaming(Keyring({"none": bytes(32)}, "none"))
