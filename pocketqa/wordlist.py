"""A list of words, and a watch that lets a text pass but for them, as it comes.

A word is found whatever its case or width, and with white space or invisible characters between its
letters. Of a match nothing gets out: what could begin one is held back until it is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .documents import BROKEN, BROKEN_REASON
from .errors import PocketQAError
from .folding import Folded, word
from .readers.text import decode

WINDOW = 40
"""Characters, spaces included, that a match of a regular expression may have to be held back whole.
So much is always held back where a list has regular expressions."""
LONGEST = 100
"""Characters of a plain word."""


class SensitiveText(Exception):
    """A text with a sensitive word; `entry` is the line of the list, which is not for users."""

    def __init__(self, entry: str) -> None:
        super().__init__(entry)
        self.entry = entry


@dataclass(frozen=True)
class Words:
    """A list, ready to be looked for.

    Attributes:
        plain: a folded word to the entry that it comes from.
        beginnings: the first characters of each folded word, one to all of them.
        patterns: entries that are regular expressions.
    """

    plain: dict[str, str]
    beginnings: frozenset[str]
    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def of(cls, lines: Iterable[str], name: str = "") -> Words:
        """The list that `lines` spell: an entry each, `/…/` a regular expression, `#` a comment.

        Raises:
            PocketQAError: `bad_sensitive_words`, with `name` and the number of the line.
        """
        plain: dict[str, str] = {}
        patterns = []
        for number, line in enumerate(lines, 1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            if entry.startswith("/"):
                patterns.append((entry, _pattern(entry, name, number)))
            else:
                plain.setdefault(_plain(entry, name, number), entry)
        beginnings = frozenset(key[:end] for key in plain for end in range(1, len(key) + 1))
        return cls(plain, beginnings, tuple(patterns))

    @classmethod
    def load(cls, path: Path) -> Words:
        """Read a list in UTF-8 or GB18030.

        Raises:
            PocketQAError: `bad_sensitive_words`, naming the file and the line.
        """
        try:
            text = decode(path.read_bytes())
        except OSError as error:
            zh, en = f"无法读取：{error.strerror}", f"unreadable: {error.strerror}"
            raise _bad(path, 0, zh, en) from error
        except UnicodeError:
            raise _bad(path, 0, "不是 UTF-8 或 GB18030 编码", "neither UTF-8 nor GB18030") from None
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            if BROKEN in line:
                raise _bad(path, number, *BROKEN_REASON)
        return cls.of(lines, str(path))

    def find(self, text: str) -> str | None:
        """The entry that a whole text matches; None of none."""
        watch = Watch(self)
        try:
            watch.put(text)
            watch.flush()
        except SensitiveText as found:
            return found.entry
        return None

    def filter(self, deltas: Iterable[str]) -> Iterator[str]:
        """The deltas, somewhat later.

        Raises:
            SensitiveText: at the first match, of which nothing has been given.
        """
        watch = Watch(self)
        for delta in deltas:
            if shown := watch.put(delta):
                yield shown
        if shown := watch.flush():
            yield shown


class Watch:
    """One text on its way: what is put in comes out as soon as it can begin no match."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._held = ""
        """What has come and is not out; `_out` characters before it are."""
        self._out = 0
        # What can begin no plain word is forgotten; an expression may look behind.
        self._plain, self._spaced = Folded(spaces=False), Folded(spaces=True)

    def put(self, delta: str) -> str:
        """Take a delta; what may be shown now.

        Raises:
            SensitiveText: when a match is complete.
        """
        return self._pass(delta, is_end=False)

    def flush(self) -> str:
        """What has been held back, when nothing more comes.

        Raises:
            SensitiveText: for a match that only the end shows, as of `/…$/`.
        """
        return self._pass("", is_end=True)

    def _pass(self, delta: str, is_end: bool) -> str:
        begin = self._out + len(self._held)
        self._held += delta
        until = begin + len(delta)
        if self._words.plain:
            self._plain.add(delta, begin)
            until = min(until, self._plain.place(self._scan(), until))
            self._plain.forget(until)
        if self._words.patterns:
            self._spaced.add(delta, begin)
            until = min(until, self._spaced.place(self._match(is_end), until))
        if is_end:
            until = begin
        shown, self._held = self._held[: until - self._out], self._held[until - self._out :]
        self._out = until
        return shown

    def _scan(self) -> int:
        """Where the folded text begins what may become a plain word; its length where nowhere."""
        text, words = self._plain.text, self._words
        held = len(text)
        for at in range(len(text)):
            end = at + 1
            while text[at:end] in words.beginnings:
                if text[at:end] in words.plain:
                    raise SensitiveText(words.plain[text[at:end]])
                if end == len(text):
                    held = min(held, at)
                    break
                end += 1
        return held

    def _match(self, is_end: bool) -> int:
        """From where the folded text must wait for regular expressions."""
        text, begin = self._spaced.text, self._spaced.index(self._out)
        held = max(begin, len(text) - WINDOW)
        for entry, pattern in self._words.patterns:
            for found in pattern.finditer(text, begin):
                # What ends where the text ends may be none when more has come: /no\b/ in "nobody".
                is_sure = is_end or found.end() < len(text) or found.start() < held
                if found[0] and is_sure:
                    raise SensitiveText(entry)
        return held


def _pattern(entry: str, name: str, number: int) -> re.Pattern[str]:
    if len(entry) < 3 or not entry.endswith("/"):
        zh, en = "正则表达式应写作 /…/", "a regular expression is written /…/"
        raise _bad(name, number, zh, en)
    try:
        pattern = re.compile(entry[1:-1], re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        zh, en = f"正则表达式有误：{error}", f"not a regular expression: {error}"
        raise _bad(name, number, zh, en) from None
    if pattern.search(""):
        raise _bad(name, number, "正则表达式匹配空文本", "it matches what is empty")
    return pattern


def _plain(entry: str, name: str, number: int) -> str:
    folded = word(entry)
    if not folded:
        raise _bad(name, number, "没有可见的字符", "no visible character")
    if len(folded) > LONGEST:
        zh, en = f"超过 {LONGEST} 个字符", f"longer than {LONGEST} characters"
        raise _bad(name, number, zh, en)
    return folded


def _bad(name: object, number: int, zh: str, en: str) -> PocketQAError:
    at = f"{name}:{number}" if number else str(name)
    return PocketQAError(
        "bad_sensitive_words", f"敏感词表 {at}: {zh}", f"sensitive words, {at}: {en}"
    )
