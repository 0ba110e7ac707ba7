"""The page and its files go over the wire as gzip, to whoever takes it: a third of the bytes."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from typing import Any

TYPES = ("text/", "application/javascript", "application/json", "image/svg+xml")
LEAST = 512
"""Bytes below which it is not worth it."""

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Compressed:
    """A WSGI application whose page and static files are compressed; nothing else is looked at.

    What answers questions is left alone: it comes in pieces, and WebSocket is no response.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._kept: dict[str, tuple[str, bytes]] = {}  # of a static file: its ETag, and as gzip

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as `application` does, compressed where that is worth it."""
        path = environ.get("PATH_INFO", "")
        is_ours = path == "/" or path.startswith("/static/")
        if not (is_ours and environ["REQUEST_METHOD"] == "GET" and _takes_gzip(environ)):
            return self._application(environ, start_response)
        started: list[Any] = []
        body = self._application(environ, lambda *given: started.append(given))
        status, given, *rest = started[-1]
        headers = {name.lower(): value for name, value in given}
        if not status.startswith("200") or not _is_worth_it(headers):
            start_response(status, given, *rest)
            return body
        content = self._compressed(path, headers.get("etag", ""), body)
        start_response(status, _adapted(given, len(content)), *rest)
        return [content]

    def _compressed(self, path: str, etag: str, body: Iterable[bytes]) -> bytes:
        try:
            kept_etag, content = self._kept.get(path, ("", b""))
            if not etag or kept_etag != etag:
                content = gzip.compress(b"".join(body), mtime=0)
            if etag:
                self._kept[path] = (etag, content)
            return content
        finally:
            if close := getattr(body, "close", None):
                close()


def _takes_gzip(environ: dict[str, Any]) -> bool:
    wanted = environ.get("HTTP_ACCEPT_ENCODING", "").replace(" ", "").split(",")
    return "gzip" in [name.removesuffix(";q=1.0").removesuffix(";q=1") for name in wanted]


def _is_worth_it(headers: dict[str, str]) -> bool:
    return (
        headers.get("content-type", "").startswith(TYPES)
        and int(headers.get("content-length", 0)) >= LEAST
        and "content-encoding" not in headers
    )


def _adapted(headers: Headers, length: int) -> Headers:
    """The headers of the compressed response; its ETag says `the same, in other bytes`."""
    changed = {"content-length", "content-encoding", "etag", "vary"}
    kept = [(name, value) for name, value in headers if name.lower() not in changed]
    etags = [value for name, value in headers if name.lower() == "etag"]
    vary = [value for name, value in headers if name.lower() == "vary"]
    return [
        *kept,
        ("Content-Encoding", "gzip"),
        ("Content-Length", str(length)),
        ("Vary", ", ".join([*vary, "Accept-Encoding"])),
        *(("ETag", f"W/{etag.removeprefix('W/')}") for etag in etags),
    ]
