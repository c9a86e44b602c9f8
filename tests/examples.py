"""How many examples a property is held against: few in `make test`, all that it names in `make test-long`.

`--hypothesis-profile=thorough` (tests/conftest.py) takes all, and so does who uses these tests without
pytest, as tests.fuzz.
"""

from __future__ import annotations

from hypothesis import settings

SHARE = 4  # of all examples `make test` takes one in so many
ALWAYS = 5  # below this nothing is gained by looking at fewer

# How long an example takes says what else the machine does, not what is tested: no deadline.
settings.register_profile("throughline", deadline=None, max_examples=100 // SHARE)
settings.register_profile("thorough", deadline=None, max_examples=100)


def few() -> None:
    """From here on `make test`'s share of the examples."""
    settings.load_profile("throughline")


def whole() -> bool:
    """Whether this run looks at all there is: `make test-long`."""
    return settings.default.max_examples >= 100


def examples(thorough: int) -> int:
    """The number for this run, of one for `make test-long`."""
    return min(thorough, max(ALWAYS, thorough * settings.default.max_examples // 100))
