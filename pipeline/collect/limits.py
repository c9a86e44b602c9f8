"""How much collect takes, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.wire import EVENT_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests and of the process."""

    events: int = 500  # a request
    body_bytes: int = 1024 * 1024  # a request, as sent and after decompression
    event_bytes: int = EVENT_BYTES  # an event, as JSON and as Avro
    in_flight_bytes: int = 64 * 1024 * 1024  # bodies being read and records not yet acknowledged, of all requests
    body_s: float = 30.0  # to read a body
    patience_s: float = 5.0  # for the broker's acknowledgement
    retry_after_s: int = 2  # what a client is told to wait, after 429 and 503
    turn_s: float = 0.002  # of parsing before other requests get a turn


class Full(Exception):
    """No more may be held in memory now."""


class Budget:
    """The bytes that all requests together hold."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.held = 0

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises Full, and then holds none of them."""
        if self.held + count > self.bytes_max:
            raise Full
        self.held += count

    def give(self, count: int) -> None:
        """Let `count` bytes go."""
        self.held -= count
