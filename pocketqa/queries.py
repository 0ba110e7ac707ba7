"""Questions of a file: JSONL with `text` in each object, or plain text with a question a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import KnowledgeError

JSONL = (".jsonl", ".ndjson")


def read(path: Path) -> list[str]:
    """The questions of a file, in their order. A line that begins with { is JSON in any file.

    Raises:
        KnowledgeError: `bad_file`.
    """
    strict = path.suffix.lower() in JSONL
    found = []
    for number, line in lines(path):
        if strict or line.lstrip().startswith("{"):
            found.append(string(parse(line, path, number), "text", path, number))
        else:
            found.append(line.strip())
    return found


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers.

    Raises:
        KnowledgeError: `bad_file`, with file and line.
    """
    for number, line in lines(path):
        yield number, parse(line, path, number)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers.

    Raises:
        KnowledgeError: `bad_file`, where it cannot be read.
    """
    number = 0
    try:
        # Not `splitlines`: a string of JSON may hold U+2028 and its like.
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except UnicodeError:
        raise bad(path, number + 1, "不是 UTF-8 编码，请先转换", "not UTF-8: convert it") from None
    except OSError as error:
        raise bad(
            path, 0, f"无法读取：{error.strerror}", f"unreadable: {error.strerror}"
        ) from error


def parse(line: str, path: Path, number: int) -> dict[str, Any]:
    """The object of a line.

    Raises:
        KnowledgeError: `bad_file`.
    """
    try:
        found = json.loads(line)
    # RecursionError: brackets in brackets in brackets.
    except (ValueError, RecursionError) as error:
        raise bad(path, number, "不是有效的 JSON", f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise bad(path, number, "应是 JSON 对象 {…}", "a line must be an object {…}")
    return found


def string(row: dict[str, Any], key: str, path: Path, number: int) -> str:
    """A field that must be text; a number counts as text.

    Raises:
        KnowledgeError: `bad_file`.
    """
    value = row.get(key)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        # JSON can spell half a character, which cannot be printed.
        return str(value).encode("utf-8", "replace").decode()
    raise bad(path, number, f"缺少文字字段 {key}", f"{key} must be there, and a string")


def bad(path: Path, number: int, zh: str, en: str) -> KnowledgeError:
    """The error about a line of a file; line 0 is the file."""
    at = f"{path}:{number}" if number else str(path)
    return KnowledgeError("bad_file", f"{at}: {zh}", f"{at}: {en}")
