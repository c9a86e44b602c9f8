"""What keeps the tests of analyses quick."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def nothing_old_to_collect() -> Iterator[None]:
    """statsmodels collects garbage with each correction after Holm: with all that tests hold, 0.1 s each time."""
    gc.freeze()
    yield
    gc.unfreeze()
