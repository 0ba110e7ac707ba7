"""Started by `load.ticking_server`: a server that also watches its own hub.

Its model is the scripted one of `fake_server`; with the argument `real` the configured one.

A greenlet sleeps for 10 ms again and again. When the server has been stopped, it prints a line of
JSON: each time it woke up (`time.monotonic`), and how many milliseconds late.
"""

from pocketqa import server  # first of all imports: it patches the process

# isort: split
import json
import sys
import time

import gevent
from fake_server import Scripted

from pocketqa import config as configuration
from pocketqa.engine import Engine

PERIOD_S = 0.01


def tick(late: list[tuple[float, float]]) -> None:
    """Sleep, and note how late it was, until killed."""
    while True:
        wanted = time.monotonic() + PERIOD_S
        gevent.sleep(PERIOD_S)
        now = time.monotonic()
        late.append((round(now, 4), round(1000 * (now - wanted), 2)))


if __name__ == "__main__":
    settings = configuration.load()
    late: list[tuple[float, float]] = []
    scripted = (
        Engine(lambda: Scripted("好。"), settings.queue_size) if "real" not in sys.argv else None
    )
    app = server.build_app(settings, scripted)
    gevent.spawn(tick, late)
    server.run(app, settings)
    print(json.dumps({"late": late}), flush=True)
