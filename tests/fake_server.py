"""Started by `servers.fake_server`: the real server, index and page, with a scripted model.

`FAKE_TEXT` is what the model says, `FAKE_PAUSE_S` how long it takes for a character, and with
`FAKE_BUSY` it computes all the while; it loads for `FAKE_LOAD_S`. A question with 出错 in it makes
the model fail, one with 说个不停 makes it say it forty times. `{}` in the text is the question's
标记…, if it has one.
"""

from pocketqa import server  # first of all imports: it patches the process

# isort: split
import os
import re
import time

from fakes import FakeModel

from pocketqa import config as configuration
from pocketqa.engine import Engine

TEXT = "身份证丢失的,应当向常住户口所在地的公安机关申请补领,并交验居民户口簿。"

TOKEN_BYTES = 12_288
"""What a token takes in the default model's caches."""


class Scripted(FakeModel):
    def prompt_ids(self, messages):
        del self.prompts[:-100]
        return super().prompt_ids(messages)

    def answer(self, messages):
        if "出错" in messages[-1]["content"]:
            raise RuntimeError("planted")
        asked = messages[-1]["content"]
        mark = re.search("标记([0-9a-f]+)", asked)
        text = super().answer(messages).replace("{}", mark[1] if mark else "")
        return text * (40 if "说个不停" in asked else 1)


if __name__ == "__main__":
    settings = configuration.load()
    pause_s = float(os.environ.get("FAKE_PAUSE_S", "0.02"))
    busy = "FAKE_BUSY" in os.environ
    said = os.environ.get("FAKE_TEXT", TEXT)
    model = Scripted(said, pause_s, busy=busy, token_bytes=TOKEN_BYTES)

    def load():
        time.sleep(float(os.environ.get("FAKE_LOAD_S", "0")))
        return model

    engine = Engine(load, settings.queue_size, max_streams=settings.max_streams)
    server.run(server.build_app(settings, engine), settings)
