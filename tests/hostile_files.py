"""Files that are damaged, locked, too large, not what they say, or made to do harm.

Each with the HTTP status and the code that it must get; 201 where it is read and does no harm.
"""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from olefiles import ole
from papers import objects_pdf, pdf, slides, word, workbook, zipped
from real_files import FAQ, TEXT, handbook

UPLOAD_MB, CHARACTERS, SECONDS = 2, 200_000, 12
"""The limits that these files are made for."""


@dataclass(frozen=True)
class Hostile:
    """A file, and what the server must say. `a|b`: whichever limit it runs into first."""

    label: str
    filename: str
    make: Callable[[], bytes]
    status: int
    code: str = ""


def changed(data: bytes, **parts: bytes) -> bytes:
    """An office file with other content in the parts whose names contain the keywords."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        files: dict[str, bytes | str] = {name: source.read(name) for name in source.namelist()}
    for keyword, content in parts.items():
        name = next(name for name in files if keyword in name)
        files[name] = content
    return zipped(files)


def docx() -> bytes:
    return word(lambda document: document.add_paragraph(TEXT))


def pptx() -> bytes:
    def write(presentation):  # type: ignore[no-untyped-def]
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = "要点"

    return slides(write)


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><x>&j;</x>"
)
FILE_ENTITY = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
W = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
FAR = b'<row><c r="A1"><v>1</v></c><c r="IV1048576"><v>1</v></c></row></sheetData></worksheet>'


def locked_zip() -> bytes:
    """A DOCX whose parts say that they are encrypted."""
    data = docx()
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        parts = data.split(mark)
        at -= len(mark)
        data = mark.join(
            [parts[0], *(p[:at] + bytes([p[at] | 1]) + p[at + 1 :] for p in parts[1:])]
        )
    return data


def locked_pdf() -> bytes:
    """A PDF whose text wants a password."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    locked = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"ab" * 32, b"cd" * 32)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        page,
        locked,
    ]
    return objects_pdf(objects, b"/Encrypt 4 0 R /ID [<00> <00>]")


def endless_pdf(pages: int = 900) -> bytes:
    """A small PDF each of whose pages shows nothing, with 40 MB of commands."""
    commands = zlib.compress(b"q 1 0 0 1 0 0 cm Q\n" * 55_000)
    kids = b" ".join(b"%d 0 R" % number for number in range(4, 4 + pages))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents [%s] >>" % (b"3 0 R " * 40)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids),
        b"<< /Length %d /Filter /FlateDecode >> stream\n%s\nendstream" % (len(commands), commands),
    ]
    return objects_pdf([*objects, *[page] * pages])


def inflating_pdf() -> bytes:
    """A PDF of 4 kB whose page is 2.5 GB of spaces, packed twice, and that wants a script run."""
    packer = zlib.compressobj(9)
    # After a full flush a piece does not depend on the one before, so it may be repeated.
    first, again = (
        packer.compress(b" " * (1 << 22)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in "ab"
    )
    content = zlib.compress(first + again * 600 + packer.flush(), 9)
    return objects_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (while(1){}) >> >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >> stream\n%s\nendstream"
            % (len(content), content),
        ]
    )


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


HOSTILE: list[Hostile] = [
    Hostile("a zip bomb in a DOCX", "a.docx",
            lambda: changed(docx(), document=b" " * (130 << 20)), 422, "bomb"),
    Hostile("a sheet that claims a million rows", "a.xlsx",
            lambda: changed(workbook(FAQ), sheet1=SHEET + FAR), 422, "bomb"),
    Hostile("20,000 parts", "a.pptx",
            lambda: zipped(
                {"ppt/presentation.xml": "<x/>", **{f"p{n}": "" for n in range(20_000)}}),
            422, "bomb"),
    Hostile("entities that multiply in a DOCX", "a.docx",
            lambda: changed(docx(), document=LAUGHS), 422, "bomb"),
    Hostile("entities that multiply in an XLSX", "a.xlsx",
            lambda: changed(workbook(FAQ), sheet1=LAUGHS), 422, "bomb"),
    Hostile("an entity that is a file of the server", "a.pptx",
            lambda: changed(pptx(), slide1=FILE_ENTITY), 422, "bomb"),
    Hostile("elements nested 100,000 deep", "a.docx",
            lambda: changed(docx(), document=b"<w:document %s>" % W + b"<w:p>" * 100_000),
            422, "damaged"),
    Hostile("a locked PDF", "a.pdf", locked_pdf, 422, "encrypted"),
    Hostile("a locked XLSX", "a.xlsx",
            lambda: ole({"EncryptionInfo": b"4", "EncryptedPackage": noise(9000)}),
            422, "encrypted"),
    Hostile("a locked DOCX", "a.docx",
            lambda: ole({"EncryptionInfo": b"4", "EncryptedPackage": noise(9000)}),
            422, "encrypted"),
    Hostile("a DOCX of a locked zip", "a.docx", locked_zip, 422, "encrypted"),
    Hostile("half a DOCX", "a.docx", lambda: docx()[:9000], 422, "damaged"),
    Hostile("half an XLSX", "a.xlsx", lambda: workbook(FAQ)[:2000], 422, "damaged"),
    Hostile("half a PPTX", "a.pptx", lambda: pptx()[:20_000], 422, "damaged"),
    Hostile("the beginning of a PDF", "a.pdf", lambda: handbook(3)[:300], 422, "damaged"),
    Hostile("a PDF that keeps its parser busy", "a.pdf", endless_pdf, 422, "timeout"),
    Hostile("a PDF that unpacks to 2.5 GB", "a.pdf", inflating_pdf, 422, "bomb|timeout"),
    Hostile("a picture called PDF", "a.pdf", lambda: b"\x89PNG\r\n\x1a\n" + noise(999),
            415, "wrong_suffix"),
    Hostile("a program called DOCX", "a.docx", lambda: b"MZ\x90\0" + noise(9999),
            415, "wrong_suffix"),
    Hostile("a PDF called text", "a.txt", lambda: handbook(1), 415, "wrong_suffix"),
    Hostile("a DOCX called XLSX", "a.xlsx", docx, 415, "wrong_suffix"),
    Hostile("HTML called XLS", "a.xls", lambda: b"<html><table><tr><td>1</table>",
            415, "wrong_suffix"),
    Hostile("noise called text", "a.md", lambda: noise(5000), 415, "wrong_suffix"),
    Hostile("an old DOC with macros", "a.doc",
            lambda: ole({"WordDocument": noise(5000), "Macros": b"AutoOpen"}),
            415, "unsupported_file"),
    Hostile("an old DOC called DOCX", "a.docx", lambda: ole({"WordDocument": noise(5000)}),
            415, "wrong_suffix"),
    Hostile("an old PPT", "a.ppt", lambda: ole({"PowerPoint Document": noise(5000)}),
            415, "unsupported_file"),
    Hostile("a DOCM", "a.docm", docx, 415, "unsupported_file"),
    Hostile("a zip", "a.zip", lambda: zipped({"a.txt": TEXT}), 415, "unsupported_file"),
    Hostile("no suffix", "..", TEXT.encode, 415, "unsupported_file"),
    Hostile("5,000 pages", "a.pdf", lambda: pdf([["甲"]] * 5000), 413, "too_many_pages"),
    Hostile("too much text", "a.txt", lambda: TEXT.encode() * 3000, 413, "too_much_text"),
    Hostile("too many bytes", "a.txt", lambda: b"a" * 2_000_001, 413, "file_too_large"),
    Hostile("far too many bytes", "a.txt", lambda: b"a" * 30_000_000, 413, "file_too_large"),
    Hostile("nothing", "a.docx", bytes, 422, "empty"),
    Hostile("zeros", "a.txt", lambda: b"\0" * 999_999, 422, "empty"),
    Hostile("brackets in brackets", "a.jsonl", lambda: b"[" * 500_000, 422, "damaged"),
    Hostile("a name that leads elsewhere", "../../../etc/cron.d/a.txt", TEXT.encode, 201),
    Hostile("a name of Windows that leads elsewhere", "..\\..\\C:\\a.txt", TEXT.encode, 201),
    Hostile("a name of 5,000 characters", "长" * 5000 + ".txt", TEXT.encode, 201),
    Hostile("a name that is a page", "<img src=x onerror=alert(1)>.txt", TEXT.encode, 201),
    Hostile("tags nested 100,000 deep", "a.html",
            lambda: b"<p>" + TEXT.encode() + b"<div>" * 100_000, 201),
    Hostile("a text in one line", "a.txt", lambda: ("甲乙丙丁" * 40_000).encode(), 201),
]  # fmt: skip
