"""One phone number under three identifier keys, for tests of their rotation."""

from __future__ import annotations

from pipeline.domain.identifiers import Keyring
from pipeline.domain.renaming import Renaming

KEYS = {"k1": b"1" * 32, "k2": b"2" * 32, "k10": b"3" * 32}
FIRST, SECOND, THIRD = (Keyring(KEYS, name, b"s" * 32) for name in KEYS)
RENAMING = Renaming(SECOND)
OLD = FIRST.keyed("phone", "+12025550142")
NEW = SECOND.keyed("phone", "+12025550142")
