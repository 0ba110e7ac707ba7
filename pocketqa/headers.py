"""The security headers, in one place: around the whole application, so that no response lacks them.

A page of PocketQA runs scripts of its own origin and nothing else, asks no other host for anything,
and is shown in frames of its own origin and of the configured ones only; the operator's view in
none.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

ADMIN, STATIC = "/admin", "/static/"
SHARED = ("/static/embed.js",)
"""What pages of other origins may load: the script that puts the chat button there."""

PERMISSIONS = (
    "microphone=(self), camera=(), display-capture=(), geolocation=(), midi=(), payment=(), usb=()"
)

_ORIGIN = re.compile(r"https?://[^\s;,'\"/]+")

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Secured:
    """A WSGI application whose every response has the headers; see `headers`."""

    def __init__(
        self, application: Application, origins: Sequence[str] = (), styles: str = ""
    ) -> None:
        self._application, self._origins, self._styles = application, origins, styles

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as `application` does, with the headers."""
        ours = headers(environ.get("PATH_INFO", ""), self._origins, self._styles)
        names = {name.lower() for name, _ in ours}

        def start(status: str, given: Headers, *rest: Any) -> Any:
            kept = [(name, value) for name, value in given if name.lower() not in names]
            return start_response(status, kept + ours, *rest)

        return self._application(environ, start)


def headers(path: str, origins: Sequence[str] = (), styles: str = "") -> Headers:
    """The headers of what is at `path`.

    Args:
        origins: those that may show the page in a frame.
        styles: the one style sheet that stands in the page itself.
    """
    found = [
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "cross-origin" if path in SHARED else "same-origin"),
    ]
    if path.startswith(STATIC):  # none is a page: opened as one, it may do nothing at all
        return [("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"), *found]
    is_admin = path == ADMIN or path.startswith(f"{ADMIN}/")
    ancestors = "'none'" if is_admin else _ancestors(origins)
    found += [
        ("Content-Security-Policy", _policy(ancestors, styles if path == "/" else "")),
        ("Permissions-Policy", PERMISSIONS),
        ("Referrer-Policy", "same-origin"),
    ]
    if is_admin:  # another visitor of the same computer finds nothing in the cache
        found += [("X-Frame-Options", "DENY"), ("Cache-Control", "no-store")]
    return found


def _policy(ancestors: str, styles: str) -> str:
    own = ("script", "connect", "font", "media", "manifest")
    known = f" 'sha256-{_sha256(styles)}'" if styles else ""
    return "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in own),
            f"style-src 'self'{known}",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {ancestors}",
        )
    )


@lru_cache(1)
def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _ancestors(origins: Sequence[str]) -> str:
    """Of a configured origin nothing else gets into the header than what an origin may hold."""
    if "*" in origins:
        return "*"
    return " ".join(("'self'", *filter(_ORIGIN.fullmatch, origins)))
