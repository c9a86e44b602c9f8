"""The lock, the list of processes and the sign-in links of a home."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.local.home import (
    AlreadyRunning,
    BrokenHome,
    Lock,
    ProcessRow,
    StackFile,
    attached,
    clear_old_state,
    end_leftovers,
    keep_partitions,
    sign_in_link,
    with_partitions,
)
from pipeline.settings import Settings


def running(pid: int, *rows: ProcessRow) -> StackFile:
    return StackFile(pid, 1.0, 1, 2, 3, 1, 8, list(rows))


def test_a_home_has_one_stack(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}.*THROUGHLINE_HOME"):
        Lock(tmp_path)
    lock.release()
    again = Lock(tmp_path)
    assert again.stale == ""
    again.release()


def test_the_lock_of_a_killed_stack_is_free_and_said_to_be_stale(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from pipeline.local.home import Lock
Lock(Path({str(tmp_path)!r}))
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    lock = Lock(tmp_path)
    assert lock.stale == done.stdout.strip()
    assert lock.stale
    lock.release()


def test_what_runs_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    written = running(7, ProcessRow("http", 8, [8080], 2, 3.5))
    written.write(tmp_path)
    assert StackFile.read(tmp_path) == written
    found = attached(Settings(home=tmp_path))
    assert (found.http_port, found.kafka_port, found.clickhouse_port) == (1, 2, 3)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"processes": [{"name": 1}]}', "null"])
def test_a_broken_list_of_processes_means_nothing_runs(tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "processes.json").write_text(content)
    assert StackFile.read(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="others have no /proc")
def test_leftovers_are_ended_but_nobody_elses_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.local.home.LEFTOVERS_S_MAX", 0.2)
    (tmp_path / "run").mkdir()
    ours, other = (
        subprocess.Popen(["sleep", "60"], env={**os.environ, "THROUGHLINE_HOME": str(home)})
        for home in (tmp_path, tmp_path / "another")
    )
    try:
        for process in (ours, other):  # what a process was started with is to be read a moment after it has started
            ends_at = time.monotonic() + 5
            while b"THROUGHLINE_HOME" not in Path(f"/proc/{process.pid}/environ").read_bytes():
                assert time.monotonic() < ends_at
                time.sleep(0.01)
        running(1, ProcessRow("a", ours.pid, [], 0, 0.0), ProcessRow("b", other.pid, [], 0, 0.0)).write(tmp_path)
        assert end_leftovers(tmp_path) == 1
        assert ours.wait(5) == -9
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_sign_in_link_leaves_only_its_hash(tmp_path: Path) -> None:
    link = sign_in_link(Settings(home=tmp_path, http_port=1234))
    assert link.startswith("http://127.0.0.1:1234/desk/sign-in?token=")
    token = link.rpartition("=")[2]
    (file,) = (tmp_path / "run" / "sign-in").iterdir()
    assert file.name == hashlib.sha256(token.encode()).hexdigest()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == b""


def test_the_state_of_workers_that_are_no_more_is_deleted(tmp_path: Path) -> None:
    for name in ("stitch-0", "stitch-1", "stitch-12", "identify"):
        (tmp_path / "state" / name / "inner").mkdir(parents=True)
    clear_old_state(tmp_path, 1)
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"stitch-0", "identify"}
    clear_old_state(tmp_path / "nothing", 1)


UNNAMED = Settings.from_environment({})


@pytest.mark.parametrize(("processors", "partitions"), [(1, 2), (2, 2), (5, 5), (64, 8)])
def test_a_new_home_has_as_many_partitions_as_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int, partitions: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    assert with_partitions(replace(UNNAMED, home=tmp_path)).partitions == partitions


def test_a_home_keeps_the_partitions_it_was_made_with(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    here = replace(UNNAMED, home=tmp_path)
    assert with_partitions(here).partitions == 8, "made before homes kept their number"

    keep_partitions(replace(here, partitions=3))
    assert with_partitions(here).partitions == 3
    assert with_partitions(replace(here, partitions=5)).partitions == 5, "what is named holds"


@pytest.mark.parametrize("text", ["", "many", "0", "-1", "1001", "2\n3"])
def test_a_home_whose_number_cannot_be_read_says_which_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "partitions").write_text(text)
    with pytest.raises(BrokenHome, match=r"kafka/partitions must hold the number.*THROUGHLINE_PARTITIONS"):
        with_partitions(replace(UNNAMED, home=tmp_path))


def test_a_cluster_has_eight_whatever_this_machine_is(tmp_path: Path) -> None:
    assert with_partitions(replace(UNNAMED, home=tmp_path, kafka="k1:9092")).partitions == 8
