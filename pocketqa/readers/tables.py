"""Tables of questions and answers: the names of their columns, and from rows to entries."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..analysis import clean, normalise
from ..documents import BROKEN, BROKEN_REASON, JOINT, Block, Document, Entry, Fault, visible
from . import File

MAX_CELL = 32_767
"""Characters; Excel's own limit."""

MAX_QUESTION = 1_000
"""Characters; what is longer has slipped into the wrong column."""

HEADER_WITHIN = 20
"""Rows in which a header is looked for: tables in offices have titles and notes above."""

_NAMES = {
    "question": "问题 问 问句 提问 标准问题 标准问 标准问句 标准问法 常见问题 question questions q",
    "answer": "答案 答 回答 答复 解答 回复 标准答案 标准回答 参考答案 answer answers a reply",
    "similar": "相似问法 相似问题 相似问 相似问句 近似问法 近似问题 同义问法 同义问题 同义问"
    " 扩展问法 扩展问题 扩展问 其他问法 其它问法 similar similarquestion similarquestions"
    " variant variants alias aliases",
    "category": "分类 类别 类目 问题分类 问题类别 主题 category categories topic",
    "source": "来源 出处 依据 法律依据 政策依据 信息来源 source sources reference",
}
COLUMNS = {name: column for column, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class Row:
    """Cells of a table, less the empty ones at the end.

    Attributes:
        spot: where it is, "14" or "Sheet1!14".
        merged: the columns that a merged cell above reaches down into; they hold its text.
        closed: whether a cell more than the header has is a fault; in a sheet it is a note.
    """

    spot: str
    cells: tuple[str, ...]
    merged: frozenset[int] = frozenset()
    closed: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it but what merged cells above reach into."""
        return not any(cell for i, cell in enumerate(self.cells) if i not in self.merged)


def row(spot: str, cells: Iterable[str], merged: Iterable[int] = (), *, closed: bool = True) -> Row:
    """A row of stripped cells, without empty ones at the end."""
    stripped = [visible(cell).strip() for cell in cells]
    while stripped and not stripped[-1]:
        stripped.pop()
    return Row(spot, tuple(stripped), frozenset(merged), closed)


def columns(cells: Iterable[str]) -> list[str]:
    """The column that each cell of a header names, "" for one that we do not know.

    Case, spaces, a remark in brackets, a star and a number at the end do not count: "相似问法 2",
    "问题(必填)*", "Similar_Questions".
    """
    return [COLUMNS.get(_name(cell), "") for cell in cells]


def _name(cell: str) -> str:
    name = re.sub(r"\(.*?\)|\[.*?\]|【.*?】|[\s_*:\-]", "", clean(cell))
    # Similar questions often have a column each; a second answer would be another thing.
    short = name.rstrip("0123456789")
    return short if COLUMNS.get(short) == "similar" else name


def is_header(cells: Iterable[str]) -> bool:
    """Whether a row names a column of questions and one of answers."""
    return {"question", "answer"} <= set(columns(cells))


def parts(
    rows: Iterable[Row | Fault], file: File, name: str = ""
) -> Iterator[Entry | Document | Fault]:
    """What a file's table, or its sheet called `name`, is read as.

    Questions and answers where it names them; where it does not, a text for a file of which any
    table is wanted, else a fault.
    """
    if not file.any_table:
        yield from entries(rows, file.name)
        return
    rows = list(rows)
    filled = _filled(rows, [])
    if any(is_header(row.cells) for row in itertools.islice(filled, HEADER_WITHIN)):
        yield from entries(rows, file.name)
    elif found := [row for row in rows if isinstance(row, Row) and not row.is_empty]:
        yield from (row for row in rows if isinstance(row, Fault))
        # A line across the table is its title, or a remark above it.
        at = next((i for i, row in enumerate(found) if sum(map(bool, row.cells)) > 1), len(found))
        above = [Block(" ".join(row.cells), row.spot) for row in found[:at]]
        blocks = (*above, *readable(found[at:], found[0].spot))
        yield Document(JOINT.join(filter(None, (file.stem, name))), blocks)


def entries(rows: Iterable[Row | Fault], name: str) -> Iterator[Entry | Fault]:
    """Questions and answers of a table; its header is looked for in the first rows.

    Rows above the header are titles and not read. A row that repeats the header is passed over.
    """
    faults: list[Fault] = []
    filled = _filled(rows, faults)
    first = ""
    for header in itertools.islice(filled, HEADER_WITHIN):
        first = first or header.spot
        if is_header(header.cells):
            break
    else:
        yield from faults
        zh, en = ("表头缺少“问题”或“答案”列", "no question or answer column")
        yield (
            Fault.at(name, first, zh, en)
            if first
            else Fault(name, 0, "文件是空的", "the file is empty", code="empty")
        )
        return
    named = columns(header.cells)
    for row in _folded(filled, named.index("question")):
        yield from faults
        faults.clear()
        if row.cells != header.cells:
            yield from _entry(named, row, name)
    yield from faults


def _filled(rows: Iterable[Row | Fault], faults: list[Fault]) -> Iterator[Row]:
    """Rows with something in them; faults on the way are put aside."""
    for row in rows:
        if isinstance(row, Fault):
            faults.append(row)
        elif not row.is_empty:
            yield row


def _folded(rows: Iterable[Row], question: int) -> Iterator[Row]:
    """Rows beside one merged question are one row: their cells are put together."""
    whole: Row | None = None
    for row in rows:
        if whole and question in row.merged:
            pairs = enumerate(itertools.zip_longest(whole.cells, row.cells, fillvalue=""))
            cells = (
                "\n".join(filter(None, (old, new))) if i not in row.merged and old != new else old
                for i, (old, new) in pairs
            )
            whole = replace(whole, cells=tuple(cells))
        else:
            if whole:
                yield whole
            whole = row
    if whole:
        yield whole


def _entry(named: list[str], row: Row, name: str) -> Iterator[Entry | Fault]:
    if len(row.cells) > len(named) and row.closed:
        have, wanted = len(row.cells), len(named)
        yield Fault.at(
            name,
            row.spot,
            f"有 {have} 列，表头只有 {wanted} 列；含逗号的内容要加引号",
            f"{have} columns where the header has {wanted}: quote what holds a comma",
        )
        return
    values: dict[str, list[str]] = {}
    for column, cell in zip(named, row.cells, strict=False):
        if column and cell:
            values.setdefault(column, []).append(cell)
    if not values and not row.closed:
        return  # a running number prepared for a row to come
    first = {column: cells[0] for column, cells in values.items()}
    yield entry(
        name,
        row.spot,
        first.get("question", ""),
        first.get("answer", ""),
        ways(values.get("similar", [])),
        first.get("category", ""),
        first.get("source", ""),
    )


def entry(
    name: str,
    spot: str,
    question: str,
    answer: str,
    similar: tuple[str, ...] = (),
    category: str = "",
    source: str = "",
) -> Entry | Fault:
    """An entry, or the fault that it has."""
    longest = max(map(len, (answer, category, source, *similar)))
    if not normalise(question):
        return Fault.at(name, spot, "问题是空的", "the question is empty")
    if not answer:
        return Fault.at(name, spot, "答案是空的", "the answer is empty")
    if len(question) > MAX_QUESTION or longest > MAX_CELL:
        return Fault.at(
            name,
            spot,
            f"内容过长:问题最多 {MAX_QUESTION} 字，其他最多 {MAX_CELL} 字",
            f"too long: a question may have {MAX_QUESTION} characters, other cells {MAX_CELL}",
        )
    if any(BROKEN in cell for cell in (question, answer, category, source, *similar)):
        return Fault.at(name, spot, *BROKEN_REASON)
    return Entry(question, answer, similar, category, source, spot)


def ways(cells: Iterable[str]) -> tuple[str, ...]:
    """The similar questions in cells that may hold several each, parted by `|` or lines."""
    parted = (way.strip() for cell in cells for way in re.split(r"[|｜\n]", cell))
    return tuple(filter(None, parted))


def readable(rows: list[Row], spot: str) -> list[Block]:
    """A table within a text: a line for each row, "name: value; name: value" by its first row."""
    if len(rows) < 2:
        return [Block(" ".join(row.cells), spot) for row in rows]
    header, *rest = ([_one_line(cell) for cell in row.cells] for row in rows)
    lines = []
    for cells in rest:
        pairs = itertools.zip_longest(header[: max(len(cells), 1)], cells, fillvalue="")
        lines.append(";".join(f"{n}:{cell}" if n else cell for n, cell in pairs if cell))
    return [Block(line, row.spot) for line, row in zip(lines, rows[1:], strict=True) if line]


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
