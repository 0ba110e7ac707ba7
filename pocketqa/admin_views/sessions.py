"""Who may see the operator's view: the key, the signed session, the token of its forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer

COOKIE = "pocketqa_admin"
HOURS = 8
"""How long a session lasts; then the key is asked for again."""


@dataclass(frozen=True)
class Session:
    """A browser at the operator's view, signed in or about to be."""

    id: str
    signed_in: bool


class Sessions:
    """Sessions live in signed cookies; the server only remembers those that were ended early.

    The signature covers the key: with a new one all sessions are over.
    """

    def __init__(self, key: str, secret: str) -> None:
        self._key = _digest(key)
        signing = f"{secret}:{self._key.hex()}"
        self._serializer = URLSafeTimedSerializer(
            signing, salt="admin", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._forms = Signer(signing, salt="admin form", digest_method=hashlib.sha256)
        self._ended: dict[str, float] = {}

    def is_key(self, given: str) -> bool:
        """Whether this is the key; takes the same time for every wrong one."""
        return hmac.compare_digest(_digest(given), self._key)

    def begin(self, *, signed_in: bool) -> tuple[Session, str]:
        """A new session, also when signing in, and the value of its cookie."""
        session = Session(secrets.token_hex(16), signed_in)
        return session, str(self._serializer.dumps([session.id, signed_in]))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it is over, or was not made here."""
        try:
            id, signed_in = self._serializer.loads(cookie, max_age=HOURS * 3600)
        except (BadSignature, ValueError, TypeError):
            return None
        return None if id in self._ended else Session(str(id), signed_in is True)

    def end(self, session: Session) -> None:
        """Sign out: the cookie is worth nothing any more, whoever has a copy."""
        now = time.monotonic()
        self._ended = {id: end for id, end in self._ended.items() if end > now}
        self._ended[session.id] = now + HOURS * 3600

    def form_token(self, session: Session) -> str:
        """What a form of this session must send along."""
        return self._forms.get_signature(session.id).decode("ascii")

    def is_own_form(self, session: Session, token: str) -> bool:
        """Whether `token` is that of this session's forms."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
