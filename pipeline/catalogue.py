"""Reads ``schemas/catalogue``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipeline.domain.catalogue import BadCatalogue, Catalogue, policy, scoring, touchpoints


def load(schemas: Path) -> Catalogue:
    """The catalogue of a schemas folder. Raises BadCatalogue, which names the file."""
    folder = schemas / "catalogue"
    return Catalogue(
        _read(folder / "touchpoints.yaml", touchpoints),
        _read(folder / "scores.yaml", scoring),
        _read(folder / "identity.yaml", policy),
    )


def _read(path: Path, parse: Any) -> Any:
    try:
        return parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, BadCatalogue) as problem:
        raise BadCatalogue(f"{path}: {problem}") from problem
