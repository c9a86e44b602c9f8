"""`throughline up` as its user meets it: start, status, restarts, stopping, starting again."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import REPO, RunningStack, alive, command, environment, wait_until

NAMES = {"broker", "clickhouse", "stitch-0", "identify", "store", "alert", "http"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the whole story: the tests below run in their order."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def first(home: Path) -> Iterator[RunningStack]:
    with RunningStack(home) as stack:
        yield stack.ready()


def ask_clickhouse(stack: RunningStack, sql: str) -> str:
    user = stack.keys["clickhouse"]
    token = base64.b64encode(f"{user['user']}:{user['password']}".encode()).decode()
    url = f"http://127.0.0.1:{stack.port('clickhouse')}/?database=throughline"
    request = urllib.request.Request(url, sql.encode(), {"Authorization": f"Basic {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode().strip())


def cluster_id(home: Path) -> str:
    found = re.search(r"cluster\.id=(\S+)", (home / "kafka" / "data" / "meta.properties").read_text())
    assert found
    return found.group(1)


def test_it_says_where_everything_is(first: RunningStack) -> None:
    first.wait_for(rf"Agent desk +{first.url}/desk/sign-in\?token=[\w-]{{30,}} ")
    first.wait_for(rf"API +{first.url}/docs")
    first.wait_for(rf"Kafka +127\.0\.0\.1:{first.port('kafka')}\n")
    first.wait_for(rf"ClickHouse +http://127\.0\.0\.1:{first.port('clickhouse')} ")
    assert set(first.processes()) == NAMES
    with urllib.request.urlopen(f"{first.url}/v1/health", timeout=10) as answer:
        assert json.load(answer) == {"status": "ok"}


def test_status_knows_processes_lag_rows_and_rejected(first: RunningStack) -> None:
    done = first.run("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    status = json.loads(done.stdout)
    assert {row["name"] for row in status["processes"] if row["alive"]} == NAMES | {"supervisor"}
    assert set(status["lags"]) == {"stitch", "identify", "store", "alert"}
    assert "interactions" in status["rows"]
    assert status["rejected"] == {}
    shown = first.run("status").stdout
    assert "stitch-0" in shown
    assert "interactions" in shown


def test_a_second_stack_in_this_home_is_refused(first: RunningStack) -> None:
    done = first.run("up")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"process {first.process.pid}" in done.stderr
    assert "THROUGHLINE_HOME" in done.stderr


@pytest.mark.parametrize("name", ["stitch-0", "clickhouse"])
def test_a_killed_process_is_started_again_and_said_so(first: RunningStack, name: str) -> None:
    old = first.processes()[name]
    os.kill(old["pid"], signal.SIGKILL)
    first.wait_for(rf"{name} was ended by SIGKILL; starting it again in 0\.5 s")
    wait_until(lambda: first.processes()[name]["pid"] != old["pid"], f"{name} runs again")
    assert first.processes()[name]["restarts"] == 1
    wait_until(lambda: first.run("status").returncode == 0, "all answer again")


def test_another_sign_in_link_can_be_had(first: RunningStack) -> None:
    link = first.run("sign-in").stdout.strip()
    assert link.startswith(f"{first.url}/desk/sign-in?token=")
    assert link not in first.output


def test_ctrl_c_stops_every_process(first: RunningStack, home: Path) -> None:
    ask_clickhouse(first, "CREATE TABLE kept (x UInt8) ENGINE MergeTree ORDER BY x")
    ask_clickhouse(first, "INSERT INTO kept SETTINGS async_insert = 0 VALUES (42)")
    (home / "cluster").write_text(cluster_id(home))
    pids = [row["pid"] for row in first.processes().values()]
    assert all(map(alive, pids))
    assert first.stop(signal.SIGINT) == 0
    assert not any(map(alive, pids))
    assert "killed" not in first.output
    assert not (home / "run" / "processes.json").exists()
    assert not (home / "run" / "sign-in").exists()


def test_the_next_start_goes_on_and_dies_whole_when_killed(home: Path, first: RunningStack) -> None:
    assert first.process.poll() is not None
    with RunningStack(home) as second:
        second.ready()
        assert "did not end in order" not in second.output
        assert ask_clickhouse(second, "SELECT x FROM kept") == "42"
        assert cluster_id(home) == (home / "cluster").read_text()
        pids = [row["pid"] for row in second.processes().values()]
        second.process.kill()
        second.process.wait()
        wait_until(lambda: not any(map(alive, pids)), "all children end with their supervisor")


@pytest.mark.long
def test_after_a_kill_the_next_start_says_so_in_one_line_and_works(home: Path) -> None:
    with RunningStack(home) as third:
        third.ready()
        stale = [line for line in third.output.splitlines() if "did not end in order" in line]
        assert len(stale) == 1
        assert ask_clickhouse(third, "SELECT x FROM kept") == "42"
        pids = [row["pid"] for row in third.processes().values()]
        assert third.stop(signal.SIGTERM) == 0
        assert not any(map(alive, pids))


def test_ctrl_c_while_it_starts_stops_every_process(tmp_path: Path) -> None:
    with RunningStack(tmp_path) as stack:
        wait_until(lambda: (tmp_path / "run" / "processes.json").exists(), "something runs")
        pids = [row["pid"] for row in stack.processes().values()]
        assert stack.stop(signal.SIGINT) == 0
        assert "ready" not in stack.output
        assert not any(map(alive, pids))


@pytest.mark.long
def test_it_outlives_whoever_reads_what_it_says(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("up"), cwd=REPO, env=environment(tmp_path, workers=2), stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        wait_until(lambda: len(list((tmp_path / "run").glob("ready/stitch-*"))) == 2, "both workers work", 120)
        assert process.poll() is None
    finally:
        process.terminate()
        status = process.wait(60)
    assert status == 0
    assert not (tmp_path / "run" / "processes.json").exists()


@pytest.mark.parametrize("name", ["HTTP", "KAFKA", "CLICKHOUSE"])
def test_a_busy_port_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            command("up"),
            cwd=REPO,
            env=environment(tmp_path, **{f"{name.lower()}_port": port}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"Port {port}" in line
    assert f"THROUGHLINE_{name}_PORT=" in line


def test_a_wrong_setting_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        command("up"),
        cwd=REPO,
        env=environment(tmp_path, kafka_port="nine"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "THROUGHLINE_KAFKA_PORT must be a whole number, not 'nine'" in line


def test_other_partitions_than_there_are_is_one_clear_line(home: Path) -> None:
    with RunningStack(home, partitions=4) as stack:
        assert stack.wait() == 1
        (line,) = [line for line in stack.output.splitlines() if line.startswith("throughline:")]
        assert "THROUGHLINE_PARTITIONS=4" in line


def test_status_without_a_stack_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        command("status"), cwd=REPO, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "throughline up" in done.stdout
