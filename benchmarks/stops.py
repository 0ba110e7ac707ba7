"""How long the server's processor is busy after `STOP_CS`; `python -m benchmarks.stops [real]`.

Without `real` a scripted model stands in that computes 20 ms for each token. Linux only.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers import Client, Server, fake_server, real_server

from pocketqa import indexing

TIMES = 20
QUIET_S = 0.1
"""So long without work, and it has stopped."""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        indexing.build([ROOT / "knowledge"], index)
        if "real" in sys.argv[1:]:
            server = real_server(index)
        else:
            server = fake_server(index, FAKE_BUSY="1", FAKE_TEXT="证" * 300)
        try:
            acks, ends, busy = zip(*(stop(server) for _ in range(TIMES)), strict=True)
        finally:
            server.stop()
    for name, times in (("acknowledged", acks), ("last frame", ends), ("idle", busy)):
        print(f"{name:<14}{statistics.median(times):6.0f} ms median {max(times):6.0f} ms at most")


def stop(server: Server) -> tuple[float, float, float]:
    """Ask and stop; milliseconds until the acknowledgement, the last frame, and idleness."""
    client = Client(server.url)
    ack = client.send({"text": "请写一篇关于春天的长文章", "received": "ends"}, "GEN_CS")
    client.wait(lambda: len(client.of(ack["request_id"])) > 8)
    began = time.monotonic()
    client.send({"request_id": ack["request_id"]}, "STOP_CS")
    acked = time.monotonic()
    busy = idle_since(server.process.pid)
    client.answer(ack["request_id"])
    ended = next(at for at, data in client.frames if data["finish_reason"])
    client.close()
    return tuple(max(0.0, 1000 * (at - began)) for at in (acked, ended, busy))  # type: ignore[return-value]


def idle_since(pid: int) -> float:
    """When the process last did more than a clock tick of work."""
    used, last = ticks(pid), time.monotonic()
    while time.monotonic() < last + QUIET_S:
        time.sleep(0.01)
        if (now := ticks(pid)) > used:
            used, last = now, time.monotonic()
    return last


def ticks(pid: int) -> int:
    """Processor time of a process, in clock ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
