"""What the local stack's processes do for each other."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SAY = "import os, sys; from pipeline.local import process; process.give_way(sys.argv[1]); print(os.nice(0))"


@pytest.mark.parametrize("kind", ["clickhouse", "store", "stitch", "broker"])
def test_what_nobody_waits_for_within_the_second_gives_way(kind: str) -> None:
    before = int(subprocess.check_output([sys.executable, "-c", "import os; print(os.nice(0))"]))
    after = int(subprocess.check_output([sys.executable, "-c", _SAY, kind], start_new_session=True))
    assert (after > before) == (kind in ("clickhouse", "store"))
