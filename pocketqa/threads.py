"""The border between native threads and the hub: the only place where both are known.

gevent's monkey patching turns `threading.Thread`, locks and queues into greenlets' versions, which
do not work for a thread that computes for seconds. What is here always means real threads, whether
gevent has patched the process or not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import gevent
from gevent import event, monkey, threadpool

T = TypeVar("T")

NativeQueue: Any = monkey.get_original("queue", "SimpleQueue")
"""`queue.SimpleQueue` whose `get` blocks a real thread and whose `put` never blocks."""

native_lock: Callable[[], Any] = monkey.get_original("_thread", "allocate_lock")
"""`threading.Lock` of real threads; hold it for microseconds only."""

native_rlock: Callable[[], Any] = monkey.get_original("_thread", "RLock")
"""The same, that its holder may take again: collecting garbage can run code that wants it."""

native_sleep: Callable[[float], None] = monkey.get_original("time", "sleep")
"""`time.sleep` for a real thread."""

_this_thread: Callable[[], int] = monkey.get_original("_thread", "get_ident")
_start_native: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")


def start_native_thread(function: Callable[[], None]) -> None:
    """Run `function` in a daemon thread of the operating system."""
    _start_native(function, ())


class Channel(Generic[T]):
    """One-way queue from a native thread to one greenlet, or to one plain thread.

    In a patched process waiting parks the greenlet and the hub stays free. Items that come within
    `gather_s` seconds are handed over together: each frame costs the hub 0.1 ms, a token less.
    """

    def __init__(self, gather_s: float = 0.0) -> None:
        self._items: deque[T] = deque()
        self._gather_s = gather_s
        self._closed = False
        self._in_greenlet = bool(monkey.is_module_patched("threading"))
        if self._in_greenlet:
            self._ready = event.Event()
            self._watcher = gevent.get_hub().loop.async_()
            self._watcher.start(self._ready.set)
            self._closing = native_rlock()
        else:
            self._wake: Any = NativeQueue()

    def put(self, item: T) -> None:
        """Hand over an item; callable from any thread."""
        self._items.append(item)
        if not self._in_greenlet:
            self._wake.put(None)
            return
        with self._closing:
            if not self._closed:
                self._watcher.send()

    def __iter__(self) -> Iterator[list[T]]:
        """Yield whatever has come since the last time, oldest first, for ever."""
        last = 0.0
        while True:
            self._wait()
            pause = last + self._gather_s - time.monotonic()
            if pause > 0:
                gevent.sleep(pause) if self._in_greenlet else time.sleep(pause)
            last = time.monotonic()
            batch = []
            while self._items:
                batch.append(self._items.popleft())
            if batch:
                yield batch

    def close(self) -> None:
        """Give the wake-up handle back to the hub. Call it in the consumer."""
        if self._in_greenlet and not self._closed:
            with self._closing:
                self._closed = True
                self._watcher.close()

    def _wait(self) -> None:
        if self._in_greenlet:
            # Sends coalesce: clear before draining, or an item would wait for the next one.
            self._ready.wait()
            self._ready.clear()
        else:
            self._wake.get()


def unhurried(items: Iterable[T], step: int) -> Iterator[T]:
    """`items`, with a turn for the other greenlets after every `step`: for long computing."""
    for number, item in enumerate(items, 1):
        yield item
        if number % step == 0 and monkey.is_module_patched("threading"):
            gevent.sleep(0)


class Worker:
    """Runs functions one at a time: for greenlets in a native thread of its own, off the hub.

    Called in another native thread, or in a process that gevent has not patched, a function runs
    where it is called. It has its caller's context variables either way.
    """

    def __init__(self) -> None:
        self._turn = native_lock()
        self._pool: Any = None
        if monkey.is_module_patched("threading"):
            self._hub_thread = _this_thread()
            self._pool = threadpool.ThreadPool(1)

    def run(self, function: Callable[..., T], *args: object) -> T:
        """Call `function`; the calling greenlet waits, the hub goes on."""
        if self._pool is None or _this_thread() != self._hub_thread:
            with self._turn:
                return function(*args)
        result, error = self._pool.apply(copy_context().run, (self._outcome, function, args))
        if error is not None:
            raise error
        return result

    def _outcome(
        self, function: Callable[..., T], args: tuple[object, ...]
    ) -> tuple[T | None, Exception | None]:
        """What `function` returns or raises; gevent prints what a thread of its pool raises."""
        try:
            with self._turn:
                return function(*args), None
        except Exception as error:
            return None, error
