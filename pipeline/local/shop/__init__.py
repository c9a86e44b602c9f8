"""The demo shop: some hundred made-up customers who go from web to app to phone to store, through the real HTTP API.

``people.yaml`` and ``journeys.yaml`` are the cast and the script, ``script.py`` reads them, ``plan.py`` makes one
person's journey into events (pure: the same number gives the same journey), ``schedule.py`` decides who does what
when, ``memory.py`` remembers it between runs, and ``play.py`` sends. ``backstage.yaml`` and ``backstage.py`` are what
staff and systems see behind the line of visibility, ``books.yaml`` and ``books.py`` what customers bring and cost
beside what they do, and what was changed lately.
"""

from __future__ import annotations

from pipeline.settings import Settings


def run(settings: Settings) -> None:
    """Play the shop until SIGTERM or SIGINT."""
    from pipeline.local.shop.play import play  # what only the shop needs is read when it runs

    play(settings)
