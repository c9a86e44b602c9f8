"""The collector as a process of its own (beside serve in one process: pipeline/http.py)."""

from __future__ import annotations

import uvicorn

from pipeline import garbage
from pipeline.collect.app import create_app
from pipeline.keys import load_or_create
from pipeline.listening import options
from pipeline.settings import Settings


def run(settings: Settings) -> None:
    """Serve until SIGTERM; requests that are being answered are answered."""
    app = create_app(settings, load_or_create(settings))
    garbage.settle()
    uvicorn.run(app, **options(settings))
