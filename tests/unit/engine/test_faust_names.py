"""The names of Faust and aiokafka that the engine replaces or reads: a new version must not lose one in silence."""

from __future__ import annotations

import inspect

import aiokafka.producer.sender
import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from faust.app.base import BootStrategy


def test_the_app_can_leave_kafka_to_the_engine() -> None:
    assert "server" in vars(BootStrategy)
    assert {"enable_kafka", "enable_web", "sensors", "agents"} <= set(dir(BootStrategy))
    assert inspect.iscoroutinefunction(faust.App._on_agent_error)
    assert list(inspect.signature(faust.App._on_agent_error).parameters) == ["self", "agent", "exc"]


def test_a_stream_asks_its_channel_for_the_next_value() -> None:
    assert inspect.iscoroutinefunction(faust.Channel.__anext__)
    assert "clone" in vars(faust.Channel)


def test_heartbeats_and_back_off_are_where_the_engine_looks() -> None:
    assert inspect.iscoroutinefunction(GroupCoordinator._do_heartbeat)
    assert "_coordinator" in AIOKafkaConsumer.__init__.__code__.co_names
    assert isinstance(aiokafka.producer.sender.BACKOFF_OVERRIDE, float)
    assert {"assign", "metadata", "on_assignment"} <= set(dir(AbstractPartitionAssignor))


def test_a_consumer_asks_where_its_requests_are_spaced() -> None:
    assert list(inspect.signature(Fetcher._proc_fetch_request).parameters) == [
        *("self", "assignment", "node_id", "request")
    ]
    assert "_proc_fetch_request" in Fetcher._fetch_requests_routine.__code__.co_names
    assert {"_in_flight", "_prefetch_backoff"} <= set(Fetcher.__init__.__code__.co_names)
    assert list(inspect.signature(Fetcher._get_actions_per_node).parameters) == ["self", "assignment"]
    assert "_in_flight" in Fetcher._get_actions_per_node.__code__.co_names
