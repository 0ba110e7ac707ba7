"""`pocketqa kb`: change the knowledge base that is answered from, while it is answered from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import PocketQAError

if TYPE_CHECKING:
    from .store import Change


def index_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--index`, the folder of the index."""
    return click.option(
        "--index",
        "directory",
        type=click.Path(path_type=Path),
        callback=lambda _, __, value: value or _configured(),
        help="folder of the index; default: POCKETQA_INDEX",
    )(command)


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--wait`, for the end of another writer."""
    return click.option(
        "--wait", is_flag=True, help="wait while another process writes to the index"
    )(command)


def field_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds an option for each field of a question."""
    for name, text in (
        ("source", "citation shown as evidence"),
        ("category", "topic"),
        ("similar", "other ways to ask it, joined by |"),
        ("answer", "the answer"),
        ("question", "the question"),
    ):
        command = click.option(f"--{name}", help=text)(command)
    return command


@click.group()
def kb() -> None:
    """The knowledge base: add, update, delete, list, export. A running server follows."""


@kb.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@field_options
@index_option
@wait_option
def add(paths: tuple[Path, ...], directory: Path, wait: bool, **fields: str | None) -> None:
    """Add files, or one question. Equal questions are replaced, and files of the same name.

    Exits with 1 if a row could not be read.
    """
    from . import editing

    given: dict[str, Any] = {k: value for k, value in fields.items() if value is not None}
    if bool(paths) == bool(given):
        raise PocketQAError(
            "usage",
            "请给出文件，或 --question 与 --answer，二者选一",
            "give either files, or --question and --answer",
        )
    if given:
        done = editing.add_question(directory, wait=wait, **given)
        click.echo(f"{_done(done)} / added, replaced, removed")
        return
    done, faults = editing.add(paths, directory, wait=wait)
    for fault in faults:
        click.echo(str(fault), err=True)
    click.echo(f"{_done(done)}，{len(faults)} 条有误 / added, replaced, removed, with faults")
    sys.exit(1 if faults else 0)


@kb.command()
@click.argument("name")
@field_options
@index_option
@wait_option
def update(name: str, directory: Path, wait: bool, **fields: Any) -> None:
    """Change the question with the id or the wording NAME; what is not given stays."""
    from . import editing

    if all(value is None for value in fields.values()):
        raise PocketQAError(
            "usage", "请给出要修改的内容，如 --answer", "say what to change, as with --answer"
        )
    old, new = editing.update(name, directory, wait=wait, **fields)
    click.echo(
        f"已更新 / updated: {old.title}" + (f" → {new.title}" if old.title != new.title else "")
    )


@kb.command()
@click.argument("names", nargs=-1, required=True)
@index_option
@wait_option
def delete(names: tuple[str, ...], directory: Path, wait: bool) -> None:
    """Delete what has the ids, questions, titles or file names NAMES."""
    from . import editing

    for gone in editing.delete(names, directory, wait=wait):
        click.echo(f"已删除 / deleted: {gone.id}  {gone.title}")


@kb.command("list")
@click.option("--text", default="", help="only what holds this text")
@click.option("--category", help="only this category")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@index_option
def list_passages(text: str, category: str | None, as_json: bool, directory: Path) -> None:
    """List what the knowledge base holds."""
    from . import editing, export

    for each in editing.select(directory, text, category):
        if as_json:
            click.echo(json.dumps(export.row(each), ensure_ascii=False))
        else:
            click.echo(f"{each.id}  {each.category or '-'}  {each.title}  ({each.place or '-'})")


@kb.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--text", default="", help="only what holds this text")
@click.option("--category", help="only this category")
@index_option
def export_passages(file: Path, text: str, category: str | None, directory: Path) -> None:
    """Write the knowledge base to FILE, .csv (questions only) or .jsonl, to be read again."""
    from . import editing, export

    convert = export.FORMATS.get(file.suffix.lower())
    if convert is None:
        known = " ".join(export.FORMATS)
        raise PocketQAError(
            "unknown_format", f"文件类型应为 {known}", f"the file must be one of {known}"
        )
    found = editing.select(directory, text, category)
    left = sum(each.kind == "document" for each in found) if convert is export.to_csv else 0
    try:
        file.write_bytes(convert(found).encode("utf-8", "replace"))
    except OSError as error:
        raise PocketQAError(
            "not_written",
            f"{file} 无法写入：{error.strerror}",
            f"{file} cannot be written: {error.strerror}",
        ) from error
    click.echo(f"{len(found) - left} 条已导出 / exported: {file}")
    if left:
        click.echo(
            f"{left} 条文档段落不在 CSV 中，可导出为 .jsonl / passages of documents left out",
            err=True,
        )


def _done(change: Change) -> str:
    return f"新增 {change.added} 条，替换 {change.replaced} 条，删除 {change.removed} 条"


def _configured() -> Path:
    from .config import load

    return load().index_dir
