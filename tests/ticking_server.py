"""Started by `load.ticking_server`: a server that also watches its own hub.

Its model is the scripted one of `fake_server`; with the argument `real` the configured one.
`FAKE_TEXT` is what the scripted one says, `FAKE_PAUSE_S` how long it takes for a character.

A greenlet sleeps for 10 ms again and again. When the server has been stopped, it prints a line of
JSON: each time it woke up (`time.monotonic`), and how many milliseconds late.
"""

from pocketqa import server  # first of all imports: it patches the process

# isort: split
import json
import os
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
    model = Scripted(
        os.environ.get("FAKE_TEXT", "好。"), float(os.environ.get("FAKE_PAUSE_S", "0"))
    )
    scripted = None
    if "real" not in sys.argv:
        scripted = Engine(lambda: model, settings.queue_size, max_streams=settings.max_streams)
    app = server.build_app(settings, scripted)
    gevent.spawn(tick, late)
    server.run(app, settings)
    print(json.dumps({"late": late}), flush=True)
