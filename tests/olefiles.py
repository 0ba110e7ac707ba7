"""Old office files for the tests: OLE compound files, and an XLS (BIFF8) in one."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def ole(streams: dict[str, bytes]) -> bytes:
    """A compound file with these streams, each padded to 4,096 bytes so that none is a mini stream.

    After the published format [MS-CFB]: header, FAT, directory, then the streams.
    """
    padded = {name: data.ljust(max(4096, -(-len(data) // SECTOR) * SECTOR), b"\0")
              for name, data in streams.items()}  # fmt: skip
    directories = -(-(len(streams) + 1) // 4)
    fat = [_FAT, *range(2, directories + 1), _END]
    starts = {}
    for name, data in padded.items():
        starts[name] = len(fat)
        count = len(data) // SECTOR
        fat += [*range(len(fat) + 1, len(fat) + count), _END]
    assert len(fat) <= SECTOR // 4, "one sector of FAT is enough for tests"
    fat += [_FREE] * (SECTOR // 4 - len(fat))
    entries = [_entry("Root Entry", 5, 1, _END, 0)]
    for number, (name, data) in enumerate(padded.items(), 1):
        following = number + 1 if number < len(padded) else _FREE
        entries.append(_entry(name, 2, _FREE, starts[name], len(data), following))
    while len(entries) < directories * 4:
        entries.append(_entry("", 0, _FREE, 0, 0))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + struct.pack(
        "<HHHHH6xIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, _END, 0, _END, 0, 0
    )  # fmt: skip
    header = header + struct.pack("<I", _FREE) * ((SECTOR - len(header)) // 4)
    table = struct.pack(f"<{len(fat)}I", *fat)
    return header + table + b"".join(entries) + b"".join(padded.values())


def _entry(name: str, kind: int, child: int, start: int, size: int, right: int = _FREE) -> bytes:
    text = name.encode("utf-16-le").ljust(64, b"\0")
    length = 2 * len(name) + 2 if name else 0
    return text + struct.pack(
        "<HBBIII36xIQ", length, kind, 1, _FREE, right, child if kind == 5 else _FREE, start, size
    )  # fmt: skip


def xls(rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook of Excel 97 with one sheet of text, after [MS-XLS]."""

    def record(number: int, data: bytes) -> bytes:
        return struct.pack("<HH", number, len(data)) + data

    bof = struct.pack("<HHHHII", 0x600, 5, 0x0DBB, 0x07CC, 0, 6)
    name = b"\x06\0Sheet1"
    sheet = record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0x0DBB, 0x07CC, 0, 6))
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            text = cell.encode("utf-16-le")
            sheet += record(0x204, struct.pack("<HHHHB", r, c, 0, len(text) // 2, 1) + text)
    sheet += record(0x0A, b"")
    begin = record(0x809, bof)
    at = len(begin) + 4 + 6 + len(name) + 4
    bound = record(0x85, struct.pack("<IBB", at, 0, 0) + name)
    return ole({"Workbook": begin + bound + record(0x0A, b"") + sheet})
