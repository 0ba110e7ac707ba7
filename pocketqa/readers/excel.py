"""Excel, through calamine: sheets of questions and answers, cells as people see them."""

from __future__ import annotations

import datetime
import io
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..documents import Fault
from ..errors import KnowledgeError
from . import File, Part, sheets, tables
from .tables import Row

TICK_EVERY = 500  # rows

_OLE = b"\xd0\xcf\x11\xe0"


def read(file: File) -> Iterator[Part]:
    """Every sheet that has something in it; one without a header is a fault, unless hidden.

    Raises:
        KnowledgeError: for a file that is no workbook, one that is too large, or encrypted.
    """
    import python_calamine as calamine

    data = file.data
    if data.startswith(b"PK"):
        data = sheets.slim(data)
    elif not data.startswith(_OLE):
        raise KnowledgeError(
            "wrong_suffix",
            "这不是 Excel 文件；请用 Excel 打开并另存为 .xlsx",
            "not an Excel file: open it in Excel and save it as .xlsx",
        )
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError:
        raise encrypted() from None
    except calamine.CalamineError as error:
        # What Excel encrypts is no zip, whatever its suffix says.
        if file.suffix != ".xls" and data.startswith(_OLE):
            raise encrypted() from None
        raise error
    empty = True
    shown = [
        sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    for number, about in enumerate(shown):
        try:
            sheet = book.get_sheet_by_name(about.name)
        except calamine.CalamineError as error:
            yield Fault(
                file.name, 0, f"工作表“{about.name}”无法读取", f"sheet {about.name}: {error}"
            )
            empty = False
            continue
        rows = _rows(sheet, file, number / len(shown), 1 / len(shown))
        hidden = about.visible != calamine.SheetVisibleEnum.Visible
        if sheet.height and not (hidden and not _has_header(sheet)):
            empty = False
            yield from tables.parts(rows, file, about.name if len(shown) > 1 else "")
    if empty:
        yield Fault(file.name, 0, "文件是空的", "the file is empty", code="empty")


def encrypted() -> KnowledgeError:
    """The error of a file that wants a password."""
    return KnowledgeError(
        "encrypted",
        "文件有密码保护；请去掉密码后另存",
        "protected by a password: save it without one",
    )


def _has_header(sheet: Any) -> bool:
    rows = sheet.to_python(nrows=tables.HEADER_WITHIN)
    return any(tables.is_header(map(shown, row)) for row in rows)


def _rows(sheet: Any, file: File, begin: float, share: float) -> Iterator[Row]:
    """Rows of a sheet; the text of a merged cell stands in each row that it reaches down into.

    It does not spread to the right: a line across the table is a heading and no answer.
    """
    left = sheet.start[1] if sheet.start else 0
    starting: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        if bottom > top and column >= left:
            starting[top].append((column - left, bottom))
    reaching: dict[int, tuple[int, str]] = {}
    for number, values in enumerate(sheet.iter_rows()):
        cells = [shown(value) for value in values]
        reaching = {column: held for column, held in reaching.items() if held[0] >= number}
        merged = [column for column in reaching if column < len(cells)]
        for column in merged:
            cells[column] = reaching[column][1]
        for column, bottom in starting.pop(number, ()):
            if column < len(cells):
                reaching[column] = (bottom, cells[column])
        yield tables.row(f"{sheet.name}!{number + 1}", cells, merged, closed=False)
        if number % TICK_EVERY == 0:
            file.tick(begin + share * number / max(1, sheet.total_height))


def shown(value: object) -> str:
    """A cell's value as Excel shows it: 12 and not 12.0, 2024-01-05, 08:30, TRUE."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        # Excel keeps 15 digits; Python would show 0.30000000000000004.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else f"{value.date()} {_clock(value.time())}"
    if isinstance(value, datetime.time):
        return _clock(value)
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return str(value)


def _clock(time: datetime.time) -> str:
    return time.isoformat("seconds" if time.second else "minutes")
