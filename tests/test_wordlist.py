from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from pocketqa.errors import PocketQAError
from pocketqa.folding import fold, word
from pocketqa.wordlist import WINDOW, SensitiveText, Watch, Words

LETTERS = ["a", "A", "ａ", "b", "敏", "感", " ", "\n", "\u200b", "\u3000", "㎡", "m", "2"]


def cut(text: str, chance: random.Random) -> list[str]:
    """`text` in random deltas, empty ones among them."""
    places = sorted(chance.choices(range(len(text) + 1), k=chance.randrange(6)))
    bounds = [0, *places, len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def shown(words: Words, deltas: list[str]) -> tuple[str, str | None]:
    """What got out, and the entry that ended it."""
    out = []
    try:
        for delta in words.filter(deltas):
            out.append(delta)
    except SensitiveText as found:
        return "".join(out), found.entry
    return "".join(out), None


def begins(text: str, entries: list[str]) -> list[int]:
    """Where in `text` matches begin, found by looking at every stretch of it."""
    folded = {word(entry) for entry in entries}
    letters = [(place, char) for place, raw in enumerate(text) for char in word(raw)]
    return [
        place
        for at, (place, _) in enumerate(letters)
        for end in range(at + 1, len(letters) + 1)
        if "".join(char for _, char in letters[at:end]) in folded
    ]


def test_nothing_of_a_match_gets_out_and_nothing_else_is_changed() -> None:
    chance = random.Random(7)
    matched = 0
    for _ in range(4_000):
        entries = ["".join(chance.choices(LETTERS, k=chance.randint(1, 5))) for _ in range(4)]
        entries = [entry for entry in entries if word(entry)]
        text = "".join(chance.choices(LETTERS, k=chance.randrange(25)))
        out, entry = shown(Words.of(entries), cut(text, chance))
        places = begins(text, entries)
        if not places:
            assert (out, entry) == (text, None)
            continue
        matched += 1
        assert entry is not None and word(entry) in {word(each) for each in entries}
        # The character that a match begins in is the first that must not be seen.
        assert text.startswith(out) and len(out) <= min(places)
        assert not any(word(each) in word(out) for each in entries)
    assert 1_000 < matched < 3_900


def test_regular_expressions_across_deltas() -> None:
    chance = random.Random(8)
    entries = ["/ab{2,3}/", "/敏.{0,5}感/", r"/\bm\d/", "/(?<=b)a$/"]
    patterns = [re.compile(entry[1:-1]) for entry in entries]
    matched = 0
    for _ in range(2_000):
        text = "".join(chance.choices("aab敏感m2x ", k=chance.randrange(120)))
        out, entry = shown(Words.of(entries), cut(text, chance))
        first = min((each.start() for p in patterns if (each := p.search(text))), default=None)
        if first is None:
            assert (out, entry) == (text, None)
        else:
            matched += 1
            assert entry in entries and text.startswith(out) and len(out) <= first
    assert 200 < matched < 1_900


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("敏感词", "这是敏 感\u3000词。"),
        ("敏感词", "敏\u200b感\u2060\ufeff词"),
        ("敏感词", "敏\n感\n词"),
        ("敏 感 词", "敏感词"),
        ("Bad Word", "ＢＡＤ ｗｏｒｄ"),
        ("ｂａｄ", "Bad"),
        ("m2", "100㎡"),
        ("/代开.{0,4}发票/", "代开增值税发票"),
        ("/qq[0-9]{5,}/", "ＱＱ１２３４５６"),
        ("/发票/", "发\u200b票"),
        ("/no$/", "oh no"),
    ],
)
def test_is_found_however_it_is_written(entry: str, text: str) -> None:
    assert Words.of(["# comment", "", "别的", entry]).find(text) == entry
    assert shown(Words.of([entry]), list(text))[1] == entry


@pytest.mark.parametrize(
    ("entry", "text"),
    [("敏感词", "敏感的词"), ("敏感词", "敏感"), (r"/\bass\b/", "class"), ("/no$/", "nobody")],
)
def test_is_not_found(entry: str, text: str) -> None:
    assert Words.of([entry]).find(text) is None
    assert shown(Words.of([entry]), list(text)) == (text, None)


def test_only_what_may_become_a_match_is_held_back() -> None:
    watch = Watch(Words.of(["敏感词汇", "感冒药"]))
    assert [watch.put(delta) for delta in ("很敏 ", "感 ", "冒", "了", "，敏")] == [
        "很", "", "敏 ", "感 冒了", "，",
    ]  # fmt: skip
    assert watch.flush() == "敏"
    assert Watch(Words.of([])).put("敏感") == "敏感"
    long = Watch(Words.of(["/x/"]))
    assert long.put("好" * 100) == "好" * (100 - WINDOW) and long.flush() == "好" * WINDOW


def test_folding_by_the_character() -> None:
    assert [fold(char) for char in "Ａß㎡\u200b\t\u3000\ufe0f敏"] == [
        "a", "ss", "m2", "", " ", " ", "", "敏",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("好\n/(/\n", 2),
        ("/未完\n", 1),
        ("//", 1),
        ("# 注释\n\n/a*/", 3),
        ("\u200b \u200b", 1),
        ("长" * 101, 1),
        ("好\n坏".encode("gb18030").decode("latin-1") + "\n" * 3, 0),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "words.txt"
    file.write_text(text, encoding="utf-8")
    if not line:  # bytes of no encoding
        file.write_bytes(b"\x80\x81\xff\xff" * 9)
    with pytest.raises(PocketQAError) as error:
        Words.load(file)
    assert error.value.code == "bad_sensitive_words"
    at = f"words.txt:{line}:" if line else "words.txt:"
    assert at in error.value.zh and at in error.value.en


def test_a_file_in_either_encoding(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        file.write_bytes("# 注释\r\n敏感词\r\n/代开.*票/\r\n".encode(encoding))
        assert Words.load(file).find("敏 感 词") == "敏感词"
        assert Words.load(file).find("代开发票") == "/代开.*票/"
    with pytest.raises(PocketQAError, match="unreadable"):
        Words.load(tmp_path / "none.txt")
    broken = ("好的\n" * 40).encode() + b"\xff\n"
    file.write_bytes(broken)
    with pytest.raises(PocketQAError, match="words.txt:41:"):
        Words.load(file)
