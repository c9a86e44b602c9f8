"""The policy that ships, for tests: the lists stand in the catalogue alone."""

from __future__ import annotations

from pathlib import Path

from pipeline.catalogue import load

POLICY = load(Path(__file__).parents[1] / "schemas" / "catalogue").policy
