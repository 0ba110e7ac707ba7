"""Who is connected: let in or not, and how often they may ask."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .errors import RequestError
from .identity import NOBODY, Cookies, Identity
from .rates import Rates

Language = Literal["zh", "en"]
MAX_KEY = 200
"""Characters of a key that is looked up."""
REVOKED_S = 5.0
"""A key that is revoked is refused after so long, at most, on connections that it has opened."""


class Key(Protocol):
    """What is known of an API key."""

    @property
    def id(self) -> str: ...
    @property
    def revoked(self) -> float | None: ...


class Keys(Protocol):
    """The API keys that there are."""

    def check(self, key: str) -> str | None: ...
    def list(self) -> Sequence[Key]: ...


@dataclass(frozen=True)
class Visitor:
    """One connection: who it is, where from, and the language of messages to it."""

    identity: Identity = NOBODY
    address: str = ""
    lang: Language = "zh"


class Visitors:
    """Everybody who is connected.

    Args:
        keys: the API keys; None where there are none.
        require_key: whether only programs with a key are let in.
        per_address: connections from one address at once; 0 for no limit.
    """

    def __init__(
        self,
        cookies: Cookies,
        rates: Rates,
        keys: Keys | None = None,
        *,
        require_key: bool = False,
        per_address: int = 0,
    ) -> None:
        self._cookies, self._rates, self._keys = cookies, rates, keys
        self._require_key, self._per_address = require_key, per_address
        self._visitors: dict[str, Visitor] = {}
        self._addresses: Counter[str] = Counter()
        self._revoked: tuple[float, frozenset[str]] = (0.0, frozenset())

    def enter(self, sid: str, address: str, auth: object, cookie: str = "") -> Visitor:
        """Let connection `sid` in.

        Args:
            auth: what it connects with: `lang` and `key` are looked at.
            cookie: the value of its cookie; empty where that must not count.

        Raises:
            RequestError: `unauthorized`; `too_many_connections` from its address.
        """
        if sid in self._visitors:
            return self._visitors[sid]
        if self._per_address and self._addresses[address] >= self._per_address:
            raise _too_many(self._per_address)
        shown: Mapping[object, object] = auth if isinstance(auth, dict) else {}
        self._addresses[address] += 1  # before the keys are looked up, which others do meanwhile
        try:
            visitor = Visitor(self.identify(shown.get("key"), cookie), address, language(auth))
        except BaseException:
            self._forget(address)
            raise
        self._visitors[sid] = visitor
        return visitor

    def leave(self, sid: str) -> None:
        """Forget a connection that has ended."""
        visitor = self._visitors.pop(sid, None)
        if visitor:
            self._forget(visitor.address)

    def of(self, sid: str) -> Visitor:
        """Who connection `sid` is.

        Raises:
            RequestError: `unauthorized` for one that has not been let in, or not any more.
        """
        visitor = self._visitors.get(sid)
        if visitor is None or self._is_revoked(visitor.identity):
            raise unauthorized()
        return visitor

    def lang(self, sid: str) -> Language:
        """The language of messages to connection `sid`."""
        visitor = self._visitors.get(sid)
        return visitor.lang if visitor else "zh"

    def identify(self, key: object, cookie: str = "") -> Identity:
        """Who shows this key, or else this cookie.

        Raises:
            RequestError: `unauthorized` for a wrong key, or none where one is needed.
        """
        if key not in (None, ""):
            id = None
            if self._keys and isinstance(key, str) and len(key) <= MAX_KEY:
                id = self._keys.check(key)
            if id is None:
                raise unauthorized()
            return Identity("key", id)
        if self._require_key:
            raise unauthorized()
        return (cookie and self._cookies.read(cookie)) or NOBODY

    def ask(self, visitor: Visitor) -> None:
        """Count a question of theirs.

        Raises:
            RequestError: `rate_limited`.
        """
        self._rates.ask(visitor.identity, visitor.address)

    def __len__(self) -> int:
        return len(self._visitors)

    def _forget(self, address: str) -> None:
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def _is_revoked(self, identity: Identity) -> bool:
        if identity.kind != "key" or self._keys is None:
            return False
        looked, revoked = self._revoked
        if time.monotonic() - looked > REVOKED_S:
            # Said before it is done, so that one looks while the others go on with what is known.
            self._revoked = (time.monotonic(), revoked)
            revoked = frozenset(key.id for key in self._keys.list() if key.revoked is not None)
            self._revoked = (time.monotonic(), revoked)
        return identity.id in revoked


def language(auth: object) -> Language:
    """The language of messages that a connection chose with `auth.lang`; Chinese by default."""
    return "en" if isinstance(auth, dict) and auth.get("lang") == "en" else "zh"


def unauthorized() -> RequestError:
    """What is said to who shows no key, or a wrong one."""
    return RequestError(
        "unauthorized",
        "需要有效的 API 密钥:连接时请在 auth.key 中给出，上传时用 Authorization: Bearer",
        "a valid API key is needed: as auth.key when connecting, as Authorization: Bearer "
        "when uploading",
    )


def _too_many(limit: int) -> RequestError:
    return RequestError(
        "too_many_connections",
        f"来自您地址的连接已达 {limit} 个，请关闭一些页面后再试",
        f"your address has {limit} connections already: close some of them first",
    )
