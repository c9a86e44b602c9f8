"""Choosing ports."""

from __future__ import annotations

import socket

import pytest

from pipeline.local.ports import BusyPort, answers, chosen, free_port, is_free

HOST = "127.0.0.1"


def test_a_busy_port_is_one_clear_line() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(HOST, port)
        assert answers(HOST, port)
        with pytest.raises(BusyPort, match=rf"Port {port} .* in use.*THROUGHLINE_KAFKA_PORT=\d+") as caught:
            chosen(HOST, port, "THROUGHLINE_KAFKA_PORT")
    assert "\n" not in str(caught.value)


def test_port_0_becomes_a_free_one() -> None:
    port = chosen(HOST, 0, "THROUGHLINE_KAFKA_PORT")
    assert port > 0
    assert is_free(HOST, port)
    assert not answers(HOST, port)


def test_a_free_port_stays_as_it_is() -> None:
    port = free_port(HOST)
    assert chosen(HOST, port, "X") == port
