"""`pocketqa dialogues`: what was asked and answered, for the operator; also while a server runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import PocketQAError

if TYPE_CHECKING:
    from .dialogue import Listed
    from .storage import Archive


def choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that choose dialogues."""
    for name, text in (
        ("text", "only with this text in a question or answer"),
        ("dialogue", "only of this name"),
        ("owner", "only this owner's, e.g. room:hall, who:browser:…"),
    ):
        command = click.option(f"--{name}", default="", help=text)(command)
    return command


@click.group("dialogues")
def dialogues() -> None:
    """Dialogues that are kept: list, show, export, delete. Also while a server runs."""


@dialogues.command("list")
@choosing
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def list_dialogues(as_json: bool, **chosen: str) -> None:
    """List dialogues, the latest first."""
    from .storage.transcripts import moment

    for each in _archive().find(**chosen):
        if as_json:
            click.echo(json.dumps(asdict(each), ensure_ascii=False))
        else:
            click.echo(
                f"{moment(each.updated)}  {each.owner}  {each.dialogue}  "
                f"{each.turns} 轮 turns  {each.title or '-'}"
            )


@dialogues.command()
@click.argument("dialogue")
@click.option("--owner", default="", help="whose; needed where several have one of this name")
def show(dialogue: str, owner: str) -> None:
    """Show the turns of DIALOGUE."""
    from .storage.transcripts import to_markdown

    archive = _archive()
    found = archive.find(owner, dialogue)
    if not found:
        raise _none()
    if len(found) > 1:
        owners = " ".join(each.owner for each in found)
        raise PocketQAError(
            "usage",
            f"多个所有者有同名对话，请用 --owner 指定：{owners}",
            f"several have a dialogue of this name, choose with --owner: {owners}",
        )
    click.echo("".join(to_markdown(_read(archive, found))).rstrip())


@dialogues.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@choosing
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv", "md"]), help="default: FILE's suffix"
)
def export(file: Path, form: str | None, **chosen: str) -> None:
    """Write dialogues to FILE (- for standard output): JSONL, CSV or Markdown."""
    from .storage.transcripts import FORMATS

    form = form or file.suffix.lower().lstrip(".")
    if form not in FORMATS:
        known = " ".join(FORMATS)
        raise PocketQAError(
            "unknown_format",
            f"请用 --format 指定格式：{known}",
            f"choose the format with --format: {known}",
        )
    archive = _archive()
    found = archive.find(**chosen)
    parts = FORMATS[form](_read(archive, found))
    if str(file) == "-":
        sys.stdout.writelines(parts)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            out.writelines(parts)
    except OSError as error:
        raise PocketQAError(
            "not_written",
            f"{file} 无法写入：{error.strerror}",
            f"{file} cannot be written: {error.strerror}",
        ) from error
    click.echo(f"{len(found)} 个对话已导出 / dialogues exported: {file}", err=True)


@dialogues.command()
@choosing
@click.option("--yes", is_flag=True, help="do not ask")
def delete(yes: bool, **chosen: str) -> None:
    """Delete dialogues for ever: of an --owner, a --dialogue, or those that hold a --text.

    What is deleted cannot be restored. With --owner alone the uploads go too.
    """
    if not any(chosen.values()):
        raise PocketQAError(
            "usage",
            "请用 --owner、--dialogue 或 --text 选择要删除的对话",
            "choose what to delete with --owner, --dialogue or --text",
        )
    archive = _archive()
    found = archive.find(**chosen)
    if not found and not chosen["owner"]:
        raise _none()
    turns = sum(each.turns for each in found)
    if not yes:
        click.confirm(
            f"删除 {len(found)} 个对话、{turns} 轮？/ delete these dialogues and turns?", abort=True
        )
    if chosen["owner"] and not (chosen["dialogue"] or chosen["text"]):
        _delete_uploads(archive.uploads_of(chosen["owner"]))
        count = archive.delete_owner(chosen["owner"])
    else:
        count = archive.delete(found)
    click.echo(f"已删除 {count} 个对话 / dialogues deleted")


def _delete_uploads(digests: set[str]) -> None:
    """Delete those uploads of which the SHA-256 of the id is given, where they are still kept."""
    from .config import load
    from .storage.upload_records import digest
    from .uploads import Uploads

    config = load()
    folder = config.data_dir / "uploads"
    kept = [each.name for each in folder.iterdir()] if digests and folder.is_dir() else []
    if found := [id for id in kept if digest(id) in digests]:
        uploads = Uploads(config)
        for id in found:
            uploads.delete(id)


def _read(archive: Archive, found: list[Listed]) -> Iterator[tuple[Listed, list[Any]]]:
    return ((each, archive.turns(each)) for each in found)


def _archive() -> Archive:
    from .config import load
    from .storage import Archive, Database

    return Archive(Database(load().database))


def _none() -> PocketQAError:
    return PocketQAError("not_found", "没有这样的对话", "there is no such dialogue")
