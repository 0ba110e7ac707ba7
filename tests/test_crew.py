"""Native threads that run compiled code together, and how they wait for each other."""

from __future__ import annotations

import os
import platform
import sys
import time

import numpy as np
import pytest
from numba import njit

from pocketqa.engine.crew import Crew
from pocketqa.engine.sync import arrive_and_wait, fetch_add

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the processor is not of the x86 family"
)


@njit(nogil=True)
def rounds(counter, barrier, number, threads, count, seen):  # type: ignore[no-untyped-def]
    """Each round adds one to the counter and reads it when all have added theirs."""
    for turn in range(count):
        fetch_add(counter, 1)
        arrive_and_wait(barrier, (2 * turn + 1) * threads)
        seen[number, turn] = fetch_add(counter, 0)
        arrive_and_wait(barrier, (2 * turn + 2) * threads)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_thread_passes_a_barrier_before_all_have_come(threads: int) -> None:
    memory, seen = np.zeros((2, 8), np.int64), np.zeros((threads, 200), np.int64)
    counter, barrier = (row.ctypes.data for row in memory)
    crew = Crew(threads)
    crew.run(lambda number: rounds(counter, barrier, number, threads, 200, seen))
    crew.close()
    assert np.array_equal(seen, np.tile(np.arange(1, 201) * threads, (threads, 1)))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_the_threads_end_when_it_is_closed() -> None:
    before = set(os.listdir("/proc/self/task"))
    crew = Crew(4)
    started = set(os.listdir("/proc/self/task")) - before
    assert len(started) == 3
    crew.close()
    until = time.monotonic() + 5
    while started & set(os.listdir("/proc/self/task")) and time.monotonic() < until:
        time.sleep(0.01)
    assert not started & set(os.listdir("/proc/self/task"))
