"""HTTP routes of uploads: `POST /upload`, `DELETE /upload/<id>`."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from flask import Blueprint, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import get_input_stream

from .errors import PocketQAError, RequestError
from .identity import COOKIE
from .origins import Origins
from .protocol import error_object
from .storage import UploadRecords
from .upload import Upload, unknown
from .uploads import Uploads
from .visitors import Visitor, Visitors, unauthorized

STATUS = {
    "bad_field": 400,
    "unauthorized": 401,
    "forbidden_origin": 403,
    "unknown_upload": 404,
    "file_too_large": 413,
    "too_many_pages": 413,
    "too_much_text": 413,
    "unsupported_file": 415,
    "wrong_suffix": 415,
    "empty": 422,
    "encrypted": 422,
    "damaged": 422,
    "bomb": 422,
    "scanned": 422,
    "timeout": 422,
    "rate_limited": 429,
    "queue_full": 503,
    "index_unwritable": 507,
}
"""The HTTP status of each error code."""

FIELDS = 512 << 10
"""Bytes of a request beside its file, and of what its parser may hold."""
SPOOLED = 512 << 10
"""Bytes of a file from which it is received on the disk."""
DRAIN_S = 20.0

Answer = tuple[dict[str, Any], int, dict[str, str]]

log = logging.getLogger(__name__)


def blueprint(
    uploads: Uploads, records: UploadRecords, visitors: Visitors, origins: Origins
) -> Blueprint:
    """The routes; for those of `visitors` that `origins` lets in."""
    views = Blueprint("uploads", __name__)

    @views.post("/upload")
    def upload() -> Answer:
        """Receive a file, multipart field `file`, read it, index it, and say its id."""
        lang = _language({})
        try:
            visitor = _visitor(visitors, origins)
            visitors.ask(visitor)
            with _received(uploads) as (form, files):
                lang = _language(form)
                if "file" not in files:
                    raise _bad("缺少文件：multipart 字段 file", "no file: multipart field file")
                file = files["file"]
                made = uploads.create(file.filename or "", file.stream)
                records.add(visitor.identity.owner, made)
                return _described(made, lang), 201, {}
        except PocketQAError as error:
            return _refusal(error, lang)

    @views.delete("/upload/<upload_id>")
    def delete(upload_id: str) -> tuple[str, int] | Answer:
        """Forget an upload."""
        try:
            _visitor(visitors, origins)
            if not uploads.delete(upload_id):
                raise unknown()
            records.deleted(upload_id)
        except PocketQAError as error:
            return _refusal(error, _language({}))
        return "", 204

    return views


class _Spool(tempfile.SpooledTemporaryFile):
    """A file that is being received; a fast sender does not keep the hub from others."""

    def write(self, data: Any) -> int:
        time.sleep(0)
        return super().write(data)


@contextmanager
def _received(uploads: Uploads) -> Iterator[tuple[Any, Any]]:
    """The fields and files of the request; what lies on the disk goes at the end."""
    limit = uploads.max_bytes + FIELDS
    spools: list[Any] = []

    def spool(*_: object, **__: object) -> Any:
        spools.append(_Spool(SPOOLED))
        return spools[-1]

    parser = FormDataParser(
        stream_factory=spool,
        max_form_memory_size=FIELDS,
        max_content_length=limit,
        max_form_parts=16,
        silent=False,
    )
    try:
        try:
            _, form, files = parser.parse_from_environ(request.environ)
        except RequestEntityTooLarge:
            _drain()
            raise uploads.too_large() from None
        except (ValueError, OSError) as error:
            raise _bad(f"请求格式有误：{error}", f"not a proper form: {error}") from None
        yield form, files
    finally:
        for each in spools:
            each.close()


def _drain() -> None:
    """Read what is still being sent: most clients read no answer before they have sent all."""
    stream = request.environ["wsgi.input"]
    if not request.environ.get("wsgi.input_terminated"):
        stream = get_input_stream(request.environ)
    end = time.monotonic() + DRAIN_S
    try:
        while stream.read(1 << 16) and time.monotonic() < end:
            time.sleep(0)
    except (OSError, ValueError):
        pass


def _described(upload: Upload, lang: str) -> dict[str, Any]:
    return {
        "upload_id": upload.id,
        "filename": upload.filename,
        "size": upload.size,
        "pages": upload.pages,
        "characters": upload.characters,
        "passages": upload.passages,
        "expires": round(upload.expires),
        "warnings": [en if lang == "en" else zh for zh, en in upload.warnings],
    }


def _refusal(error: PocketQAError, lang: str) -> Answer:
    status = STATUS.get(error.code, 500)
    log.info("upload refused: %s", error.code)
    retry = error.details.get("retry_after_s")
    headers = {"Retry-After": str(retry)} if retry else {}
    return {"error": error_object(error, lang)}, status, headers


def _visitor(visitors: Visitors, origins: Origins) -> Visitor:
    """Who sends this request."""
    # A page of another site could send a form here without being asked.
    if not origins.welcome(request.environ):
        raise RequestError(
            "forbidden_origin",
            "不接受来自这个网站的请求（见 POCKETQA_ORIGINS）",
            "requests from this site are not taken (see POCKETQA_ORIGINS)",
        )
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise unauthorized()
    cookie = request.cookies.get(COOKIE, "") if origins.trust(request.environ) else ""
    return Visitor(visitors.identify(key.strip(), cookie), request.remote_addr or "")


def _language(form: Any) -> str:
    """`lang` of the form or the query, else what the browser prefers; Chinese by default."""
    wanted = form.get("lang") or request.args.get("lang")
    if wanted in ("zh", "en"):
        return cast(str, wanted)
    return request.accept_languages.best_match(["zh", "en"], "zh") or "zh"


def _bad(zh: str, en: str) -> RequestError:
    return RequestError("bad_field", zh, en)
