"""One running product for all system tests that do not need to break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.product import Product, running


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Shared: use identifiers of your own, and never assume that it is empty."""
    with running(tmp_path_factory.mktemp("product")) as product:
        yield product
