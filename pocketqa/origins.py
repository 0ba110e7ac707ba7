"""Which web pages may connect and upload: the server's own, and those that are configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Environ = Mapping[str, Any]


class Origins:
    """The web origins that are let in.

    Args:
        further: origins beside the server's own; `*` for all.
    """

    def __init__(self, further: Sequence[str] = ()) -> None:
        self._further = frozenset(further)

    def allow(self, origin: str | None, environ: Environ) -> bool:
        """Whether a page of `origin` may connect; None is no page of a browser."""
        return origin is None or "*" in self._further or self._is_known(origin, environ)

    def welcome(self, environ: Environ) -> bool:
        """Whether a request comes from no web page, or from one that may connect."""
        return self.allow(environ.get("HTTP_ORIGIN"), environ)

    def trust(self, environ: Environ) -> bool:
        """Whether a request's cookie says who it is: not where `*` alone let the page in."""
        origin = environ.get("HTTP_ORIGIN")
        return origin is None or self._is_known(origin, environ)

    def _is_known(self, origin: str, environ: Environ) -> bool:
        return origin in self._further or origin in _own(environ)


def _own(environ: Environ) -> set[str]:
    """The server's own origin as the client reached it; with TLS too, which a proxy may speak."""
    host = environ.get("HTTP_HOST", "")
    return {f"{environ['wsgi.url_scheme']}://{host}", f"https://{host}"}
