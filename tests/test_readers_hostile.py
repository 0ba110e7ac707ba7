"""Files that are damaged, locked, far too large, or made to do harm: a fault each, and no more."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import docx
import pytest
from papers import pdf, workbook, zipped

from pocketqa import readers
from pocketqa.passages import Fault, Passage, read, read_file
from pocketqa.readers import archive, sheets

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
CSV = "问题,答案\n{}？,乙\n"


def load(name: str, data: bytes) -> tuple[list[Passage], list[Fault]]:
    found = list(read_file(name, data))
    return (
        [item for item in found if isinstance(item, Passage)],
        [item for item in found if isinstance(item, Fault)],
    )


def word() -> bytes:
    document = docx.Document()
    document.add_heading("标题", 1)
    document.add_paragraph("内容。")
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


GOOD = {
    "a.xlsx": workbook([["问题", "答案"], ["甲", "乙"]]),
    "a.docx": word(),
    "a.pdf": pdf([["内容。", "第二行。"]]),
    "a.html": "<h1>标题</h1><p>内容<table><tr><td>甲<td>乙<tr><td>丙".encode(),
    "a.zip": zipped({"a.csv": CSV.format("甲"), "b.md": "# 标题\n内容"}),
    "a.csv": CSV.format("甲").encode("gb18030"),
    "a.jsonl": '{"question": "甲", "answer": "乙"}'.encode(),
}


@pytest.mark.parametrize("name", GOOD)
def test_no_damage_brings_more_than_faults(name: str) -> None:
    random.seed(name)
    data = GOOD[name]
    assert load(name, data)[0] and not load(name, data)[1]
    for _ in range(150):
        bad = bytearray(data)
        if random.random() < 0.4:
            del bad[random.randrange(len(bad)) :]
        for _ in range(random.choice((1, 3, 30))):
            if bad:
                bad[random.randrange(len(bad))] = random.randrange(256)
        for item in read_file(name, bytes(bad)):
            assert isinstance(item, (Passage, Fault))
            assert f"{item}".encode()  # no half surrogates


@pytest.mark.parametrize("suffix", [*readers.READERS, readers.ARCHIVE])
@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 999, b"PK\x03\x04" + b"\xff" * 99, OLE + b"\0" * 999, b"%PDF-1.7\n%%EOF",
     b"\x89PNG\r\n\x1a\n\xff\xfe"],
    ids=["empty", "nulls", "zip", "ole", "pdf", "png"],
)  # fmt: skip
def test_what_is_not_of_its_kind_is_one_fault(suffix: str, data: bytes) -> None:
    passages, faults = load(f"a{suffix}", data)
    assert not passages
    assert [(f.file, f.line) for f in faults] == [(f"a{suffix}", 0)] and faults[0].reason_zh


def test_office_files_with_a_password_say_so() -> None:
    locked = OLE + "EncryptedPackage".encode("utf-16-le") * 99
    for name in ("a.docx", "a.xlsx"):
        assert "password" in load(name, locked)[1][0].reason_en
    old = OLE + "WordDocument".encode("utf-16-le")
    assert "old .doc" in load("a.docx", old)[1][0].reason_en


def replaced(data: bytes, name: str, content: bytes) -> bytes:
    """A zip with another content in one file."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return zipped({n: content if n == name else source.read(n) for n in source.namelist()})


SHEET = "xl/worksheets/sheet1.xml"
OPEN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
CLOSE = b"</sheetData></worksheet>"


@pytest.mark.parametrize(
    "rows",
    [
        b'<row><c r="A1"><v>1</v></c><c r="XFC1048576" s="1"/><c><v>1</v></c></row>',
        b'<row r="4294967295"><c r="A4294967295"><v>1</v></c></row>',
        b'<row r="1"><c r="A1"><v>1</v></c><c x=">" r="IV1048576"><v>1</v></c></row>',
        b'<row r="x"><c r="1A"><v>1</v></c></row>',
    ],
)
def test_a_sheet_made_to_fill_the_memory_is_a_fault(rows: bytes) -> None:
    passages, faults = load("a.xlsx", replaced(GOOD["a.xlsx"], SHEET, OPEN + rows + CLOSE))
    assert not passages and len(faults) == 1


def test_entities_that_multiply_are_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + OPEN + CLOSE
    assert "DTD" in load("a.xlsx", replaced(GOOD["a.xlsx"], SHEET, bomb))[1][0].reason_en


def test_sizes_are_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pocketqa.readers import word

    monkeypatch.setattr(sheets, "MAX_XML", 1000)
    monkeypatch.setattr(word, "MAX_XML", 1000)
    monkeypatch.setattr(archive, "MAX_UNPACKED", 100_000)
    bomb = zipped({"a.txt": b"x" * 100_001})
    for name, data in (("a.xlsx", GOOD["a.xlsx"]), ("a.docx", GOOD["a.docx"]), ("a.zip", bomb)):
        passages, faults = load(name, data)
        assert not passages and len(faults) == 1 and faults[0].file == name, name
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1)
    assert "over 1 files" in load("a.zip", GOOD["a.zip"])[1][0].reason_en
    monkeypatch.setattr(readers, "MAX_FILE", 10)
    (tmp_path / "a.txt").write_text("x" * 11)
    assert "split" in read([tmp_path / "a.txt"])[1][0].reason_en
    assert "split" in load("a.txt", b"x" * 11)[1][0].reason_en


def test_a_zip_is_read_as_a_folder_and_its_traps_are_reported() -> None:
    files = {
        "b/faq.csv": CSV.format("甲"), "a.md": "# 题\n文", "README.md": "x", "__MACOSX/a.md": "x",
        "photo.jpg": "x", "~$b.csv": "x", "in.zip": b"PK", "bad.csv": "x",
        "../up.csv": CSV.format("乙"), "/root.csv": CSV.format("丙"),
        "c:\\win.csv": CSV.format("丁"), "d\\e.csv": CSV.format("戊"),
        "again.csv": CSV.format("甲"), "sheet.xlsx": GOOD["a.xlsx"],
    }  # fmt: skip
    passages, faults = load("all.zip", zipped(files))
    assert [p.place for p in passages] == [
        "all.zip/b/faq.csv:2", "all.zip/a.md:2", "all.zip/d/e.csv:2"
    ]  # fmt: skip
    assert [(f.place, f.reason_en[:16]) for f in faults] == [
        ("all.zip/in.zip:0", "a zip in a zip: "),
        ("all.zip/bad.csv:1", "no question or a"),
        ("all.zip/../up.csv:0", "its name leads o"),
        ("all.zip//root.csv:0", "its name leads o"),
        ("all.zip/c:/win.csv:0", "its name leads o"),
        ("all.zip/again.csv:2", "question repeats"),
        ("all.zip/sheet.xlsx:Sheet1!2", "question repeats"),
    ]


def test_names_in_a_zip_of_chinese_windows_and_its_password() -> None:
    data = zipped({"aaaa.csv": CSV.format("甲"), "bbbb.csv": CSV.format("乙")})
    data = data.replace(b"aaaa.csv", "常见".encode("gb18030") + b".csv")
    assert load("a.zip", data)[0][0].place == "a.zip/常见.csv:2"
    # The flag that says "encrypted", in the directory and in front of the file.
    locked = data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    assert {f.reason_en for f in load("a.zip", locked)[1]} == {"protected by a password: remove it"}


def test_a_link_in_a_zip_is_not_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("a.txt", "文字")
    assert [p.text for p in load("a.zip", target.getvalue())[0]] == ["文字"]


def test_an_interrupt_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketqa.readers import text

    def stop(file: readers.File) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(text, "text", stop)
    with pytest.raises(KeyboardInterrupt):
        load("a.txt", b"x")
