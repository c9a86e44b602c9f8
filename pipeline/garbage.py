"""Python's collector of cycles, set for processes that make many objects and hardly a cycle.

Left as it is, it looks through all that a process has whenever that has grown by a quarter: in the process that answers
HTTP a fifth of its time, and each time a pause in which nobody is answered (what FastAPI and the schemas keep is most
of what it looks through, and is never garbage).
"""

from __future__ import annotations

import gc

#: Containers made before a young collection looks for cycles; Python's own is 700. A look at so many takes some ms.
THRESHOLD = 50_000
#: Young collections before an older generation is looked at.
GENERATIONS = 20


def settle(threshold: int = THRESHOLD) -> None:
    """Call it when a process has all that it keeps for good: that is never looked at again, the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold, GENERATIONS, GENERATIONS)
