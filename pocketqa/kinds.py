"""What a file is by its bytes, beside what its name says: before any parser has seen it."""

from __future__ import annotations

import io
import stat
import zipfile

from .errors import KnowledgeError
from .readers import READERS, File

MAX_INSIDE = 512 << 20
"""Bytes of an office file, unpacked."""

MAX_ENTRIES = 10_000
HEAD = 64 << 10
"""Bytes of a part in XML in which a document type is looked for."""

TEXT = "text"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WANTED = {
    ".pdf": {"pdf"},
    ".docx": {"docx"},
    ".pptx": {"pptx"},
    ".pptm": {"pptx"},
    ".xlsx": {"xlsx"},
    ".xlsm": {"xlsx"},
    ".xls": {"xls"},
    ".html": {"html", TEXT},
    ".htm": {"html", TEXT},
}
_PACKAGES = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "xl/workbook.bin": "xlsb",
    "content.xml": "odf",
}
_OLD = {"EncryptedPackage": "encrypted", "WordDocument": "doc", "PowerPoint Document": "ppt",
        "Workbook": "xls", "Book": "xls"}  # fmt: skip
_MAGIC = {
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tiff",
    b"MM\0*": "tiff", b"{\\rtf": "rtf", b"\x7fELF": "exe", b"MZ": "exe", b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"%!PS": "ps",
}  # fmt: skip
_ADVICE = {
    ".doc": (".docx", "Word"),
    ".docm": (".docx", "Word"),
    ".wps": (".docx", "WPS"),
    ".rtf": (".docx", "Word"),
    ".odt": (".docx", "LibreOffice"),
    ".ppt": (".pptx", "PowerPoint"),
    ".pps": (".pptx", "PowerPoint"),
    ".odp": (".pptx", "LibreOffice"),
    ".et": (".xlsx", "WPS"),
    ".ods": (".xlsx", "LibreOffice"),
    ".xlsb": (".xlsx", "Excel"),
}


def require_known(name: str) -> None:
    """Refuse a file by its name.

    Raises:
        KnowledgeError: `unsupported_file`, with what to do where that is known.
    """
    suffix = File(name, b"").suffix
    if suffix in READERS:
        return
    known = " ".join(READERS)
    zh, en = (
        f"不支持 {suffix or '没有扩展名的'} 文件",
        f"files {suffix or 'without suffix'} are not read",
    )
    if suffix in _ADVICE:
        wanted, program = _ADVICE[suffix]
        zh, en = f"{zh}；请用 {program} 另存为 {wanted}", f"{en}: save it as {wanted} in {program}"
    elif suffix == ".zip":
        zh, en = f"{zh}；请先解压，逐个上传", f"{en}: unpack it and upload what is in it"
    raise KnowledgeError("unsupported_file", f"{zh}。可用：{known}", f"{en}. Known: {known}")


def check(file: File) -> None:
    """Refuse what is empty, not what its suffix says, locked, or made to fill the memory.

    Raises:
        KnowledgeError: `empty`, `wrong_suffix`, `unsupported_file`, `encrypted`, `bomb`.
    """
    if not file.data.strip(b"\0\t\r\n "):
        raise KnowledgeError("empty", "文件是空的", "the file is empty")
    found = kind(file.data)
    if found == "encrypted":
        from .readers.excel import encrypted

        raise encrypted()
    wanted = _WANTED.get(file.suffix, {TEXT, "html"})
    if found not in wanted and found != "broken zip":
        raise _mismatch(file.suffix, found)
    if file.data.startswith(b"PK") and found != "broken zip":
        _check_package(file.data)


def kind(data: bytes) -> str:
    """What the first bytes say, of an office file its parts: "docx", "pdf", "text", "binary"."""
    if data.startswith(b"PK\x03\x04") or data.startswith(b"PK\x05\x06"):
        return _package(data)
    if data.startswith(_OLE):
        return next((_OLD[name] for name in _OLD if name.encode("utf-16-le") in data), "ole")
    if b"%PDF-" in data[:1024]:
        return "pdf"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\0").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "html"
    if _is_text(data) and not data.startswith(b"{\\rtf"):
        return TEXT  # "BM" and "MZ" may begin one
    return next((name for start, name in _MAGIC.items() if data.startswith(start)), "binary")


def _is_text(data: bytes) -> bool:
    """Whether the beginning holds hardly any control characters; UTF-16 holds zeros."""
    head = data[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    controls = sum(byte < 32 and byte not in b"\0\t\n\x0b\x0c\r\x1b" for byte in head)
    return controls <= len(head) * 0.02


def _package(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = set(package.namelist())
    except Exception:  # what zipfile raises over a hostile zip is not documented
        return "broken zip"
    return next((name for part, name in _PACKAGES.items() if part in names), "zip")


def _check_package(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        items = package.infolist()
        if len(items) > MAX_ENTRIES or sum(item.file_size for item in items) > MAX_INSIDE:
            raise KnowledgeError(
                "bomb",
                f"文件解压后过大（超过 {MAX_INSIDE >> 20} MB 或 {MAX_ENTRIES} 个部分），请拆分",
                f"over {MAX_INSIDE >> 20} MB or {MAX_ENTRIES} parts unpacked: split it",
            )
        for item in items:
            if item.flag_bits & 1:
                from .readers.excel import encrypted

                raise encrypted()
            if stat.S_ISLNK(item.external_attr >> 16):
                raise KnowledgeError("damaged", "文件里有链接，未读取", "there is a link in it")
            if item.filename.lower().endswith((".xml", ".rels")) and _has_dtd(package, item):
                raise KnowledgeError("bomb", "文件含有不允许的 DTD", "a DTD is not allowed in it")


def _has_dtd(package: zipfile.ZipFile, item: zipfile.ZipInfo) -> bool:
    """Whether a part declares entities, which may multiply; office programs never write any."""
    try:
        with package.open(item) as stream:
            head = stream.read(HEAD).replace(b"\0", b"")
    except Exception:  # damaged: its reader says so
        return False
    return b"<!DOCTYPE" in head or b"<!ENTITY" in head


def _mismatch(suffix: str, found: str) -> KnowledgeError:
    advice = _ADVICE.get(f".{found}")
    zh = f"文件内容不是 {suffix}，" + ("像是 " + found if found != "binary" else "无法识别")
    en = f"not {suffix} by its content" + (f", but {found}" if found != "binary" else "")
    if advice:
        return KnowledgeError(
            "wrong_suffix",
            f"{zh}；请用 {advice[1]} 另存为 {advice[0]}",
            f"{en}: save it as {advice[0]} in {advice[1]}",
        )
    return KnowledgeError("wrong_suffix", f"{zh}；请改正扩展名", f"{en}: give it the right suffix")
