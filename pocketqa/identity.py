"""Who asks and whose a dialogue is: browsers' cookies, programs' keys, tokens, signed rooms."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from .config import Config
from .dialogue import Key
from .errors import PocketQAError, RequestError
from .protocol import Request

COOKIE = "pocketqa"
COOKIE_S = 365 * 24 * 3600
"""How long a browser keeps its cookie after its last visit, in seconds."""
SHORTEST_SECRET = 32
_BROWSER_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Identity:
    """Who is behind a connection: a browser by its cookie, a program by its key, or nobody known.

    Attributes:
        id: the cookie's number, or the key's id; never the cookie or the key itself.
    """

    kind: Literal["browser", "key", "none"] = "none"
    id: str = ""

    @property
    def owner(self) -> str:
        """What `Key.owner` says of this identity's dialogues; empty for nobody known."""
        return "" if self.kind == "none" else f"who:{self.kind}:{self.id}"


NOBODY = Identity()


class Cookies:
    """The cookie by which a browser is known again: a random number, signed."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, salt="browser", digest_method=hashlib.sha256)

    def new(self) -> str:
        """The value of a cookie for a browser that has none."""
        return self._signer.sign(secrets.token_hex(16)).decode("ascii")

    def read(self, value: str) -> Identity | None:
        """The browser that this value was made for; None where it was not made here."""
        try:
            id = self._signer.unsign(value).decode("ascii")
        except (BadSignature, UnicodeError):
            return None
        return Identity("browser", id) if _BROWSER_ID.fullmatch(id) else None


class Ownership:
    """Says whose dialogue a request continues: its room's, its token's, or its asker's.

    Args:
        secret: signs tokens and rooms.
        rooms: who may name a room: everybody, who has its signed name, or nobody.
    """

    def __init__(self, secret: str, rooms: Literal["open", "signed", "off"] = "open") -> None:
        self._serializer = URLSafeSerializer(secret, salt="dialogue")
        self._signer = Signer(secret, salt="room", digest_method=hashlib.sha256)
        self._rooms = rooms

    def key(self, request: Request, identity: Identity = NOBODY) -> Key:
        """The dialogue that `request` of `identity` may continue.

        Raises:
            RequestError: `forbidden_room`, see `check_room`; `bad_field` for a token that this
                server did not sign for this dialogue.
        """
        return self.find(
            request.sid, identity, request.dialogue, room=request.room, token=request.token
        )

    def find(
        self, sid: str, identity: Identity, dialogue: str, *, room: str = "", token: str = ""
    ) -> Key:
        """The dialogue of that name that connection `sid` may read and continue; see `key`."""
        if room not in ("", sid):
            self.check_room(room)
            return Key(f"room:{room}", dialogue)
        if token:
            key = self.shown(token, identity)
            if key.dialogue != dialogue:
                raise _bad_token()
            return key
        return Key(identity.owner or f"own:{sid}", dialogue)

    def shown(self, token: str, identity: Identity = NOBODY) -> Key:
        """The dialogue that `token` was made for.

        A key's dialogue needs the key: a revoked one is worth nothing, whatever was kept beside it.

        Raises:
            RequestError: `bad_field` for a token that was not made here, or for another key.
        """
        try:
            owner, dialogue = self._serializer.loads(token)
        except (BadSignature, ValueError, TypeError):
            raise _bad_token() from None
        if not isinstance(owner, str) or not isinstance(dialogue, str):
            raise _bad_token()
        if owner.startswith("who:key:") and owner != identity.owner:
            raise _bad_token()
        return Key(owner, dialogue)

    def token(self, key: Key) -> str:
        """The token that lets another connection continue the dialogue."""
        return str(self._serializer.dumps([key.owner, key.dialogue]))

    def check_room(self, room: str) -> None:
        """Refuse a room's name that the operator's rule does not let anybody name.

        Raises:
            RequestError: `forbidden_room`.
        """
        if self._rooms == "off":
            raise RequestError(
                "forbidden_room",
                "字段 room:本服务不提供命名房间，请不带 room 提问",
                "field room: this server has no named rooms; ask without one",
            )
        if self._rooms == "signed":
            name, _, _ = room.rpartition(".")
            if not name or not hmac.compare_digest(self.sign_room(name).encode(), room.encode()):
                raise RequestError(
                    "forbidden_room",
                    "字段 room:房间名须带有本服务的签名，请向管理员索取",
                    "field room: must be a name signed for this server; ask its operator for one",
                )

    def sign_room(self, name: str) -> str:
        """The name by which a room is joined where names must be signed."""
        return f"{name}.{self._signer.get_signature(name).decode('ascii')}"


def secret(config: Config) -> str:
    """What signs cookies, tokens and rooms: as configured, else made once and kept in DATA.

    Raises:
        PocketQAError: `bad_config` where it can be neither read nor kept.
    """
    if config.secret_key:
        return config.secret_key
    path = config.data_dir / "secret"
    try:
        if not path.exists():
            _keep(path, secrets.token_hex(32))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        kept = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise _no_secret(path, str(error)) from error
    if len(kept) < SHORTEST_SECRET:
        raise _no_secret(path, f"{len(kept)} < {SHORTEST_SECRET}")
    return kept


def _keep(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all; the first of several wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        draft.touch(0o600, exist_ok=False)
        draft.write_text(text + "\n", encoding="ascii")
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def _no_secret(path: Path, reason: str) -> PocketQAError:
    return PocketQAError(
        "bad_config",
        f"密钥文件 {path} 不可用（{reason}）；请修复它，或设置 POCKETQA_SECRET_KEY",
        f"the secret in {path} cannot be used ({reason}): mend it, or set POCKETQA_SECRET_KEY",
    )


def _bad_token() -> RequestError:
    return RequestError(
        "bad_field",
        "字段 token:无效，或不属于这个对话；请不带 token 开始新的对话",
        "field token: not valid for this dialogue; start a new one without it",
    )
