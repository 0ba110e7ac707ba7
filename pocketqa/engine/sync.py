"""How native threads that run compiled code wait for each other, without Python.

A barrier is a counter that only grows. A thread that waits spins for some microseconds, then gives
its core away at every look: where a core is busy elsewhere, spinning threads would keep the one
that they wait for from running.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

SPINS = 2_000


@intrinsic
def fetch_add(context: Any, address: Any, value: Any) -> Any:
    """Add `value` to the int64 at `address`, for all threads at once; what was there before."""

    def codegen(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, values[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def yield_core(context: Any) -> Any:
    """Let another thread run on this core (POSIX sched_yield)."""

    def codegen(_context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(get_or_insert_function(builder.module, kind, "sched_yield"), [])

    return types.int32(), codegen


@intrinsic
def pause(context: Any) -> Any:
    """Tell the processor that this thread only waits."""

    def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def look(context: Any, address: Any) -> Any:
    """The int64 at `address`, as other threads have left it."""

    def codegen(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), codegen


@njit
def arrive_and_wait(counter: int, target: int) -> None:
    """Count this thread in, and wait until the counter has reached `target`."""
    if fetch_add(counter, 1) + 1 >= target:  # type: ignore[call-arg]
        return
    looks = 0
    while look(counter) < target:
        looks += 1
        if looks > SPINS:
            yield_core()
        else:
            pause()
