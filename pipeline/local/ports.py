"""Ports: free ones, and who is in the way of a wanted one."""

from __future__ import annotations

import random
import socket

# Below the range that systems give to outgoing connections, so that nobody takes it between choice and use.
_FIRST, _LAST = 20_000, 32_000


class BusyPort(RuntimeError):
    """A wanted port is taken; says which setting changes it."""


def is_free(host: str, port: int) -> bool:
    """Whether one can listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """A port on which nobody listens. Raises BusyPort if 200 random ones are taken."""
    for _ in range(200):
        port = random.randint(_FIRST, _LAST)  # noqa: S311 - no secret: only to keep two stacks apart
        if is_free(host, port):
            return port
    raise BusyPort(f"No free port found on {host} between {_FIRST} and {_LAST}.")


def chosen(host: str, port: int, setting: str) -> int:
    """The port of a setting, or a free one where it is 0. Raises BusyPort when it is taken."""
    if port == 0:
        return free_port(host)
    if not is_free(host, port):
        raise BusyPort(
            f"Port {port} on {host} is in use. Stop what listens there, or choose another: {setting}={free_port(host)}"
        )
    return port


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True
