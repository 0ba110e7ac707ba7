"""Office files for the tests, made from what is said in them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import docx
import openpyxl
import pptx
from PIL import Image, ImageDraw, ImageFont


def workbook(
    *sheets: Sequence[Sequence[object]],
    change: Callable[[openpyxl.Workbook], None] = lambda book: None,
) -> bytes:
    """An XLSX of rows of values; `change` may do more to it."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet{number}")
        for row in rows:
            sheet.append(list(row))
    change(book)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def zipped(files: dict[str, bytes | str]) -> bytes:
    """A zip with these files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def word(write: Callable[[Any], object]) -> bytes:
    """A DOCX that `write` has written into."""
    document = docx.Document()
    write(document)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def slides(write: Callable[[Any], object]) -> bytes:
    """A PPTX that `write` has written into."""
    presentation = pptx.Presentation()
    write(presentation)
    target = io.BytesIO()
    presentation.save(target)
    return target.getvalue()


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF of pages of lines, in any language: its font is only named, and maps to Unicode."""
    count = len(pages)
    kids = " ".join(f"{6 + 2 * n} 0 R" for n in range(count))
    unicode = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def"
        b" 1 begincodespacerange <0000> <ffff> endcodespacerange"
        b" 1 beginbfrange <0000> <ffff> <0000> endbfrange endcmap end end"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Some /Encoding /Identity-H"
        b" /DescendantFonts [4 0 R] /ToUnicode 5 0 R >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Some /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        b"<< /Length %d >> stream\n%s\nendstream" % (len(unicode), unicode),
    ]
    for number, lines in enumerate(pages):
        shown = "".join(
            f"BT /F 12 Tf 50 {780 - 20 * n} Td <{line.encode('utf-16-be').hex()}> Tj ET\n"
            for n, line in enumerate(lines)
        )
        content = zlib.compress(shown.encode())
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 800 840] /Contents %d 0 R"
            b" /Resources << /Font << /F 3 0 R >> >> >>" % (7 + 2 * number)
        )
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >> stream\n%s\nendstream" % (len(content), content)
        )
    return objects_pdf(objects)


def scanned(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF whose pages are pictures of English lines, as a scanner makes them."""
    font = ImageFont.load_default(36)
    pictures = []
    for lines in pages:
        picture = Image.new("L", (1240, 1000), 255)
        for n, line in enumerate(lines):
            ImageDraw.Draw(picture).text((80, 80 + 70 * n), line, 0, font)
        pictures.append(picture)
    target = io.BytesIO()
    pictures[0].save(target, "PDF", save_all=True, append_images=pictures[1:], resolution=150)
    return target.getvalue()


def objects_pdf(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return body + b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (
        size,
        trailer,
        start,
    )
