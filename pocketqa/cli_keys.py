"""`pocketqa keys`: API keys for programs, and signed rooms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .cli_model import say
from .errors import PocketQAError

if TYPE_CHECKING:
    from .storage import ApiKeys

MAX_NAME = 100


@click.group()
def keys() -> None:
    """API keys for programs: add, list, revoke; sign-room for signed rooms."""


@keys.command("add")
@click.argument("name")
def keys_add(name: str) -> None:
    """Make a key and print it, once: only a digest of it is kept. NAME says whose it is."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise PocketQAError(
            "usage",
            f"名称应为 1 至 {MAX_NAME} 个可见字符",
            f"a name has 1 to {MAX_NAME} visible characters",
        )
    with _kept() as kept:
        id, key = kept.add(name)
    click.echo(key)
    say(
        f"密钥 {id}（{name}）只显示这一次，请妥善保存；连接时作为 auth.key，"
        "上传时作为 Authorization: Bearer",
        f"key {id} ({name}) is shown this once: keep it; it is auth.key when connecting, "
        "Authorization: Bearer when uploading",
    )


@keys.command("list")
def keys_list() -> None:
    """List the keys: id, when made, when last used, name. A key itself is never shown again."""
    with _kept() as kept:
        for key in kept.list():
            state = "已吊销 revoked" if key.revoked is not None else "有效 valid"
            click.echo(f"{key.id}  {_day(key.created)}  {_day(key.last_used)}  {state}  {key.name}")


@keys.command("revoke")
@click.argument("id")
def keys_revoke(id: str) -> None:
    """Make the key of this id worthless; a running server knows within seconds."""
    with _kept() as kept:
        revoked = kept.revoke(id)
    if not revoked:
        raise PocketQAError(
            "unknown_key",
            f"没有编号为 {id} 的有效密钥；请查看 pocketqa keys list",
            f"there is no valid key {id}: see pocketqa keys list",
        )
    say(f"密钥 {id} 已吊销", f"key {id} is revoked")


@keys.command("sign-room")
@click.argument("name")
def keys_sign_room(name: str) -> None:
    """Print the name by which room NAME is joined where POCKETQA_ROOMS is `signed`."""
    from . import identity
    from .config import load
    from .payloads import MAX_NAME

    config = load()
    signed = identity.Ownership(identity.secret(config), "signed").sign_room(name)
    if not name or not name.isprintable() or len(signed) > MAX_NAME:
        raise PocketQAError(
            "usage",
            f"房间名为可见字符，签名后不超过 {MAX_NAME} 个字符",
            f"a room's name has visible characters, at most {MAX_NAME} with its signature",
        )
    click.echo(signed)


@contextmanager
def _kept() -> Iterator[ApiKeys]:
    from .config import load
    from .storage import ApiKeys, Database

    database = Database(load().database)
    try:
        yield ApiKeys(database)
    finally:
        database.close()


def _day(seconds: float | None) -> str:
    return "-" * 10 if seconds is None else time.strftime("%Y-%m-%d", time.localtime(seconds))
