"""`pocketqa client`: asks a running server, comes back to an answer, reads a dialogue, votes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from .errors import PocketQAError
from .protocol import EVENTS


@click.command()
@click.argument("host")
@click.argument("port", type=int)
@click.argument("text", required=False)
@click.argument("event", default="CHAT_CS", type=click.Choice(list(EVENTS)))
@click.option("--event", "named", type=click.Choice(list(EVENTS)), help="the same as an option")
@click.option("--upload", type=click.Path(path_type=Path, exists=True), help="ask about this file")
@click.option("--room", default="", help="a named room")
@click.option("--dialogue", default="", help="the dialogue that the question continues")
@click.option("--token", default="", help="of the acknowledgement that began the dialogue")
@click.option("--key", default="", help="an API key")
@click.option("--resume", metavar="ID", help="instead of asking: go on with this answer")
@click.option("--after", default=-1, show_default=True, help="… after the frame of this number")
@click.option("--history", is_flag=True, help="instead of asking: the turns of --dialogue")
@click.option("--vote", metavar="ID", help="instead of asking: vote for this answer")
@click.option("--up/--down", default=True, help="… and how", show_default=True)
@click.option("--reason", default="", help="… and why")
def client(
    host: str,
    port: int,
    text: str | None,
    event: str,
    named: str | None,
    upload: Path | None,
    room: str,
    dialogue: str,
    token: str,
    key: str,
    resume: str | None,
    after: int,
    history: bool,
    vote: str | None,
    up: bool,
    reason: str,
) -> None:
    """Ask a running server TEXT and print the frames of the answer, a line each.

    The acknowledgement (with what --token, --dialogue, --resume and --vote take), the place in the
    line and what the server says of a file go to standard error. An answer whose connection breaks
    is gone on with over another one.
    """
    from . import client as socketio_client

    if sum(map(bool, (text, resume, history, vote))) != 1:
        raise PocketQAError(
            "usage",
            "请给出问题，或 --resume、--history、--vote 之一",
            "give a question, or else one of --resume, --history and --vote",
        )
    url = f"http://{host}:{port}"
    which = {"room": room, "dialogue": dialogue, "token": token}
    fields: dict[str, Any] = {name: value for name, value in which.items() if value}
    if history:
        _print(socketio_client.call(url, "HISTORY_CS", fields, key)["turns"])
        return
    if vote:
        said = {**fields, "request_id": vote, "vote": "up" if up else "down", "reason": reason}
        _print([socketio_client.call(url, "FEEDBACK_CS", said, key)])
        return
    if resume:
        wanted = {**fields, "request_id": resume, "after": after}
        ended = socketio_client.resume(url, wanted, _show, _tell, key)
    else:
        fields["text"] = text
        if upload:
            data = upload.read_bytes()
            of_file = socketio_client.upload(url, upload.name, data, key=key)
            click.echo(json.dumps(of_file, ensure_ascii=False), err=True)
            fields["upload_id"] = of_file["upload_id"]
        ended = socketio_client.ask(url, fields, named or event, _show, _tell, key)
    sys.exit(1 if ended == "error" else 0)


def _show(frame: dict[str, Any]) -> None:
    click.echo(json.dumps(frame, ensure_ascii=False))


def _tell(what: str, data: dict[str, Any]) -> None:
    if what == "waiting":
        before = data["position"]
        text = f"前面还有 {before} 个 / {before} before yours" if before else "轮到您了 / your turn"
        click.echo(text, err=True)
    else:
        click.echo(json.dumps({what: data}, ensure_ascii=False), err=True)


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))
