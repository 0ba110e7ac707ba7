"""Plain text, and the encodings of all files of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..documents import BROKEN, BROKEN_REASON, Block, Fault, document
from ..errors import KnowledgeError
from . import File, Part

SHARE_OF_NULLS = 0.01
"""Bytes that are 0 in a text in UTF-16 with some line breaks, digits or commas, at least."""

SHARE_OF_BROKEN = 0.1
"""Of the characters that are not ASCII: with more, it is another encoding."""

_BINARY = {
    b"PK\x03\x04": "Excel/Word/zip",
    b"\xd0\xcf\x11\xe0": "Excel/Word",
    b"%PDF-": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}


def read(file: File) -> Iterator[Part]:
    """A text file is a document without headings."""
    lines = text(file).splitlines()
    yield from broken(lines, file.name)
    yield document(file.stem, [Block(line, str(n)) for n, line in enumerate(lines, 1)])


def broken(lines: Iterable[str], name: str) -> Iterator[Fault]:
    """A fault for each line with characters that are not of the file's encoding."""
    for number, line in enumerate(lines, 1):
        if BROKEN in line:
            yield Fault.at(name, str(number), *BROKEN_REASON)


def text(file: File) -> str:
    """The text of a file, less its characters NUL.

    Raises:
        KnowledgeError: `wrong_suffix` or `damaged`, with the reason.
    """
    for magic, kind in _BINARY.items():
        if file.data.startswith(magic):
            raise KnowledgeError(
                "wrong_suffix",
                f"这不是文本，像是 {kind} 文件；请改正扩展名",
                f"not text, but {kind} by its first bytes: give it the right suffix",
            )
    try:
        return decode(file.data).replace("\0", "")
    except UnicodeError as error:
        raise KnowledgeError(
            "damaged",
            "文件无法读取:编码不是 UTF-8、GB18030 或 UTF-16，请另存为 UTF-8",
            f"cannot be read, save it as UTF-8: {error}",
        ) from None


def decode(data: bytes) -> str:
    """Text of a file from a Chinese office: UTF-8, UTF-16 or GB18030.

    A mark decides; then UTF-16 without a mark, where nothing else can be meant. UTF-8 does not
    accept Chinese in GB18030, so of these two the order decides and nothing is guessed. A few
    broken bytes do not cost the file: each becomes `BROKEN`.

    Raises:
        UnicodeError: where it is none of them.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        found = data.decode("utf-8-sig")
        return found if data.count(0) < len(data) / 4 else _unmarked_utf16(data) or found
    except UnicodeDecodeError:
        found = _unmarked_utf16(data) or _mostly(data, "utf-8")
    if found:
        return found
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        if found := _mostly(data, "gb18030"):
            return found
        raise


def _mostly(data: bytes, codec: str) -> str:
    """`data` in an encoding that fits but for a few bytes, or an empty string."""
    text = data.decode(codec, "replace")
    foreign = sum(c > "~" for c in text)
    bad = text.count(BROKEN) + sum(c < " " and c not in "\t\r\n" for c in text)
    return text if bad <= foreign * SHARE_OF_BROKEN else ""


def _unmarked_utf16(data: bytes) -> str:
    """`data` as UTF-16 if that is unmistakable, else an empty string.

    The high bytes of what is ASCII are 0, all on one side, and nearly all other characters must be
    Chinese or its punctuation, as what another encoding's bytes pair up to would not be.
    """
    sides = data[::2].count(0), data[1::2].count(0)
    if len(data) % 2 or min(sides) or max(sides) < len(data) * SHARE_OF_NULLS:
        return ""
    try:
        text = data.decode("utf-16-be" if sides[0] else "utf-16-le")
    except UnicodeDecodeError:
        return ""
    sample = text[:20_000]
    usual = sum(
        c in "\t\r\n" or " " <= c <= "~" or "\u2010" <= c <= "\u2027" or "\u3000" <= c <= "\u303f"
        or "\u4e00" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef"
        for c in sample
    )  # fmt: skip
    return text if usual >= 0.9 * len(sample) else ""
