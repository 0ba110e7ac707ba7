"""Summaries: a short text in one request; a long one part by part, then the whole from its parts.

Whatever the length, at most `MAX_PARTS` parts are read, and of each at most `PART_ROOM`: its most
central sentences. So the model's time is bounded. Every sentence is checked before it is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice

from ..documents import sentences
from ..engine import Generation, Message, Options
from ..errors import RequestError
from ..grounding.constraining import NumbersFrom
from ..protocol import FinishReason, Piece, Received
from . import asked, parts
from .asked import Block, Wish
from .asking import Reader, Requests, Stoppable, Stopped
from .central import Centrality, size
from .checking import Checker, ended, told
from .parts import Part

SHORT = 1_500
"""What is read in one request, as `central.size` counts."""
PART_ROOM = 900
"""What is read of a part."""
MAX_PARTS = 12
AT_ONCE = 4
"""Parts that the model has at once."""
POINT_TOKENS = 100
"""Longest answer to a part; whoever says more has begun to ramble."""
QUOTED = 1
"""Of a summary's or a point's sentences, those of the text itself: its most central ones. A small
model says what a text is about and dwells on its beginning; they bring the facts from the rest."""
LONGEST_QUOTE = 140
SENTENCE_TOKENS = 90
"""Longest answer for a sentence that is wanted."""
SAMPLE = 300
"""Sentences that tell a text's language."""
MIN_ROOM = 60
"""Below this a text is cut instead of chosen from."""

SYSTEM = {
    "zh": "你是编辑。请照原文的说法概括，原文没有的不要说。",
    "en": "You are an editor. Summarise in the text's own words; add nothing.",
}
ASK = {
    "zh": "{text}\n\n用{count}概括上文讲了什么，并写出其中最重要的规定或数字{wish}。",
    "en": "{text}\n\nIn {count}: what is the text above about, and which of its facts or figures "
    "matter most{wish}?",
}
COUNTS = {
    "zh": {0: "{}句话", 1: "一句话", 2: "一两句话", 3: "两三句话", 4: "三四句话"},
    "en": {
        0: "{} sentences",
        1: "one sentence",
        2: "one or two sentences",
        3: "two or three sentences",
        4: "three or four sentences",
    },
}
WISH = {"zh": "（侧重：{}）", "en": " (focus: {})"}
OVERALL = {"zh": "总的来说：", "en": "Overall: "}


def language(text: str) -> str:
    """`zh` if a tenth of the letters are Chinese, else `en`."""
    letters = sum(char.isalpha() for char in text)
    chinese = sum("\u3400" <= char <= "\u9fff" for char in text)
    return "zh" if chinese * 10 > letters else "en"


def summary(
    blocks: Sequence[Block],
    instruction: str,
    reader: Reader,
    cancellation: Stoppable,
    options: Options,
    received: Received,
) -> Iterator[Piece]:
    """The summary of a text in the text's language, a sentence or a point a piece.

    Args:
        blocks: the text's paragraphs and headings, each with its page or None.
        instruction: what the asker wants of it (用三句话概括, 总结第三章); may be empty.
        options: how to decode; its `deadline_s` holds for the whole.
        received: what the pieces carry.

    Raises:
        RequestError: `bad_field` for a text without any sentence.
        PocketQAError: what the engine raises, after what was said until then.
    """
    whole = parts.read(asked.part_of(blocks, instruction))
    if not whole.sentences:
        raise RequestError(
            "bad_field", "没有可以总结的文字", "there is no text that could be summarised"
        )
    requests = Requests(reader, options, cancellation)
    writer = _Writer(requests, whole, asked.read(instruction))
    reason: FinishReason
    try:
        with closing(writer.say()) as deltas:
            for delta in deltas:
                yield Piece(delta, None, received)
        reason = "length" if writer.is_cut else "stop"
    except Stopped:
        reason = "abort"
    finally:
        requests.close()
    yield Piece("", reason, received)


class _Writer:
    """Says the summary of one text."""

    def __init__(self, requests: Requests, whole: Part, wish: Wish) -> None:
        self._requests, self._whole, self._wish = requests, whole, wish
        self._language = language(Part(whole.sentences[:SAMPLE]).text)
        self.is_cut = False
        """Whether the last answer ended at the limit of tokens."""

    def say(self) -> Generator[str, None, None]:
        """The deltas."""
        whole, wish = self._whole, self._wish
        if whole.size <= SHORT or wish.is_short:
            yield from self._short()
            return
        count = min(MAX_PARTS, max(2, -int(-whole.size // PART_ROOM)))
        cut = parts.cut(whole, count)
        points = [""] * len(cut)
        for at, sentence in self._points(cut):
            begin = ("\n" if at else "") + self._label(cut[at], at)
            yield (_gap(points[at]) if points[at] else begin) + sentence
            points[at] += _gap(points[at]) + sentence
        yield "\n\n" + OVERALL[self._language]
        yield from self._overall(points)

    def _short(self) -> Iterator[str]:
        """One request, for all of a short text, or for the most central of a long one."""
        wanted = self._wish.sentences or (4 if self._whole.size > 600 else 3)
        wanted = min(wanted, len(self._whole.sentences))
        quoted = QUOTED if wanted > 1 else 0
        yield from self._answer(self._whole, SHORT, wanted, quoted, self._wish.characters)

    def _overall(self, points: list[str]) -> Iterator[str]:
        """The whole, from its points; from points of points where they do not fit."""
        while not self._fits(points):
            points = self._fewer(points)
        yield from self._answer(_lines(points), 2 * SHORT, self._wish.sentences or 4)

    def _fits(self, points: list[str]) -> bool:
        text = "\n".join(points)
        limit = self._requests.reader.max_prompt_tokens
        is_read = size(text) <= 2 * SHORT and self._count(text, 4) <= limit
        return len(points) < 2 or is_read

    def _fewer(self, points: list[str]) -> list[str]:
        """Half as many points at most."""
        groups = parts.cut(_lines(points), max(1, len(points) // 2))
        fewer = [""] * len(groups)
        for at, sentence in self._points(groups):
            fewer[at] += _gap(fewer[at]) + sentence
        return fewer

    def _points(self, each: list[Part]) -> Iterator[tuple[int, str]]:
        """What is said of parts: number of the part and sentence, in order.

        While one is said, the next are computed.
        """
        waiting = deque(enumerate(each))
        running: deque[tuple[int, str, Generation]] = deque()
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                at, part = waiting[0]
                text = self._text(part, PART_ROOM, 1)
                try:
                    asking = self._ask(text, 1, POINT_TOKENS)
                except RequestError as error:
                    if error.code == "queue_full" and running:
                        break  # others ask, too: go on with fewer at once
                    raise
                running.append((at, text, asking))
                waiting.popleft()
            at, text, generation = running.popleft()
            for sentence in self._checked(text, generation, 1 + QUOTED, QUOTED):
                yield at, sentence

    def _answer(
        self, part: Part, room: float, count: int, quoted: int = 0, length: int = 0
    ) -> Iterator[str]:
        """One request about a part, as deltas: `count` sentences, of which some are `quoted`."""
        text = self._text(part, room, count - quoted)
        generation = self._ask(text, count - quoted, SENTENCE_TOKENS * count)
        last, said = "", 0
        for sentence in self._checked(text, generation, count, quoted):
            if length and said and said + len(sentence) > length:
                return
            yield _gap(last) + sentence
            last, said = sentence, said + len(sentence)
        self.is_cut = generation.finish_reason == "length"

    def _checked(self, text: str, generation: Generation, most: int, quoted: int) -> Iterator[str]:
        """The sentences that may be said, then the text's own; `most` altogether."""
        checker = Checker(text)
        quotes = _quotes(text, checker)
        with closing(self._requests.deltas(generation)) as deltas:
            for sentence in told(deltas, lambda: generation.finish_reason == "length"):
                verdict = checker.judge(sentence)
                if verdict == "repeats":
                    break
                if verdict == "good":
                    yield checker.say(sentence)
                else:
                    yield from islice(quotes, 1)
                if checker.said >= most - quoted:
                    break
        yield from islice(quotes, quoted if checker.said else max(1, quoted))

    def _text(self, part: Part, room: float, count: int) -> str:
        """What is read of a part: as much as there is room for, and as the prompt may have."""
        limit = self._requests.reader.max_prompt_tokens
        while True:
            text = part.central(room, self._wish.focus)
            tokens = self._count(text, count)
            if tokens <= limit:
                return text
            room = min(room, size(text)) * 0.9 * limit / tokens
            if room < size(text) / 20 or room < MIN_ROOM:
                return self._cut(text, count)

    def _cut(self, text: str, count: int) -> str:
        """So much of a text's beginning that the prompt is short enough."""
        limit = self._requests.reader.max_prompt_tokens
        while text and self._count(text, count) > limit:
            text = text[: len(text) * 3 // 4]
        return text

    def _count(self, text: str, count: int) -> int:
        return self._requests.reader.count(self._messages(text, count))

    def _ask(self, text: str, count: int, most_tokens: int) -> Generation:
        messages = self._messages(text, count)
        return self._requests.ask(messages, most_tokens, NumbersFrom([text]))

    def _label(self, part: Part, at: int) -> str:
        """What a point begins with: its pages, else its number."""
        if part.pages is None:
            return f"{at + 1}. "
        first, last = part.pages
        if self._language == "zh":
            return f"第{first}页：" if first == last else f"第{first}–{last}页："
        return f"Page {first}: " if first == last else f"Pages {first}–{last}: "

    def _messages(self, text: str, count: int) -> list[Message]:
        lang = self._language
        wish = WISH[lang].format(self._wish.focus) if self._wish.focus else ""
        named = COUNTS[lang].get(count) or COUNTS[lang][0].format(count)
        content = ASK[lang].format(text=text, count=named, wish=wish)
        return [
            Message(role="system", content=SYSTEM[lang]),
            Message(role="user", content=content),
        ]


def _lines(points: list[str]) -> Part:
    """Points as a text of their own."""
    return parts.read([(point, None) for point in points])


def _quotes(text: str, checker: Checker) -> Iterator[str]:
    """Sentences of a text that have not been said, the most central first, long ones last."""
    found = list(filter(None, map(ended, sentences(text))))
    for at in sorted(Centrality(found).ranked(), key=lambda at: len(found[at]) > LONGEST_QUOTE):
        if checker.judge(found[at]) == "good":
            yield checker.say(found[at])


def _gap(last: str) -> str:
    """What stands between a sentence and the next one."""
    return " " if last[-1:].isascii() and last else ""
