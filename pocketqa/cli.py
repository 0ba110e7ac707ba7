"""The command line. Each command imports what it needs, so that `--help` is instant."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .cli_client import client
from .cli_dialogues import dialogues
from .cli_eval import evaluate
from .cli_kb import kb, wait_option
from .cli_keys import keys
from .cli_model import model, say
from .cli_stats import stats
from .errors import PocketQAError

if TYPE_CHECKING:
    from .passages import Hit, Passage


class _Group(click.Group):
    """Shows expected errors in both languages and exits with 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PocketQAError as error:
            raise click.ClickException(f"{error.zh}\n{error.en}") from None


@click.group(cls=_Group)
@click.version_option(__version__)
def main() -> None:
    """Answers questions from your own knowledge base, on your own machine.

    Every setting is an environment variable, POCKETQA_<NAME>: see `pocketqa config`.
    """


main.add_command(client)
main.add_command(kb)
main.add_command(keys)
main.add_command(evaluate)
main.add_command(model)
main.add_command(dialogues)
main.add_command(stats)


@main.command()
@click.option("--host", help="address to listen on")
@click.option("--port", type=click.IntRange(0, 65535), help="port to listen on; 0: a free one")
def serve(host: str | None, port: int | None) -> None:
    """Serve the page and Socket.IO."""
    from . import server  # first of all imports: it patches the process for gevent
    from .config import load

    server.serve(load(**{k: v for k, v in {"host": host, "port": port}.items() if v is not None}))


@main.command("config")
def show_config() -> None:
    """List every setting, its value and what it means."""
    from .config import Config, load

    values = load()
    for name, field in Config.model_fields.items():
        value = getattr(values, name)
        if not field.repr and value:
            value = "***"
        elif isinstance(value, tuple):
            value = ",".join(value)
        elif value is None:
            value = ""
        click.echo(f"POCKETQA_{name.upper()}={value}\n    {field.description}")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="folder; default: POCKETQA_INDEX")
@click.option("--expand", is_flag=True, help="let the model write questions first; takes long")
@click.option(
    "--questions", default=3, type=click.IntRange(1, 5), help="at most, a passage, with --expand"
)
@wait_option
def index(
    paths: tuple[Path, ...], out: Path | None, expand: bool, questions: int, wait: bool
) -> None:
    """Build the index from files and folders. Exits with 1 if a row could not be read.

    With --expand the model writes questions that each passage answers, by which it is found too.
    What is written is kept: interrupted, a further run goes on from there.
    """
    from tqdm import tqdm

    from . import indexing
    from .config import load

    directory = out or load().index_dir
    began = time.monotonic()
    more: dict[str, Any] = {"expand": _expand(paths, directory, questions, wait)} if expand else {}
    with tqdm(desc="索引 index", unit="条", disable=None, leave=False, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        built = indexing.build(paths, directory, wait=wait, progress=progress, **more)
    for fault in built.faults:
        click.echo(str(fault), err=True)
    click.echo(
        f"{built.about.count} 条已建索引，{built.files} 个文件，{len(built.faults)} 条有误，"
        f"用时 {time.monotonic() - began:.1f} 秒"
        f" / indexed, files, with faults, seconds: {directory}"
    )
    sys.exit(1 if built.faults else 0)


def _expand(
    paths: tuple[Path, ...], directory: Path, count: int, wait: bool
) -> Callable[[list[Passage]], list[Passage]]:
    """Let the model write the questions that are missing; returns what adds them to passages."""
    from tqdm import tqdm

    from . import app, expansion, generations, indexing
    from .config import load

    config = load()
    # Held for the reading only, which finds a fault early: writing takes hours, and meanwhile
    # others may change the index. `build` reads the files again.
    with generations.lock(directory, wait=wait):
        read, _ = indexing.read_paths(paths)
    expander = expansion.Expander(directory, config.language_model, count)
    if missing := expander.missing(read):
        engine = app.start_engine(config)
        try:
            engine.wait()
            if isinstance(engine.failure, PocketQAError):
                raise engine.failure
            with tqdm(missing, desc="写问题 questions", unit="条", file=sys.stderr) as bar:
                expander.write(bar, engine)
        except KeyboardInterrupt:
            say("已写的问题已保存，再次运行会接着写", "what is written is kept: run it again")
            raise
        finally:
            engine.close()
    return expander.expand


@main.command()
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="questions, JSONL or one a line")
@click.option("-k", default=5, type=click.IntRange(1, 100), help="passages to show")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a question")
def search(text: str | None, file: Path | None, k: int, as_json: bool) -> None:
    """Show the passages that TEXT finds, best first; or each question of a file."""
    from . import indexing, queries
    from .config import load

    if (text is None) == (file is None):
        raise PocketQAError(
            "usage", "请给出问题，或 --file 文件，二者选一", "give either a question or --file"
        )
    config = load()
    asked = queries.read(file) if file else [text or ""]
    retriever = indexing.open_index(config)
    for question in asked:
        hits = retriever.retrieve(question, k)
        if as_json:
            click.echo(_found(question, hits, config.min_score))
            continue
        if file:
            click.echo(f"# {question}")
        for hit in hits:
            passage = hit.passage
            click.echo(
                f"{hit.score:.3f}  {passage.title}\n       {passage.text}\n       {passage.source}"
            )


def _found(text: str, hits: list[Hit], min_score: float) -> str:
    rows = [{"id": hit.passage.id, "score": hit.score, "title": hit.passage.title} for hit in hits]
    refused = not hits or hits[0].score < min_score
    return json.dumps({"text": text, "hits": rows, "refused": refused}, ensure_ascii=False)


@main.command()
@click.argument("text")
def ask(text: str) -> None:
    """Answer TEXT here, without a server; the evidence goes to standard error."""
    from . import app, indexing
    from .answering import chat
    from .config import load
    from .dialogue import Key
    from .protocol import parse
    from .services import Cancellation, assemble

    config = load()
    request = parse("CHAT_CS", {"text": text}, "ask")
    engine = app.start_engine(config)
    services = assemble(config, indexing.open_index(config), engine)
    try:
        engine.wait()
        engine.count([{"role": "user", "content": text}])  # raises where the model is not ready
        for piece in chat(request, Key("own:ask", "ask"), services, Cancellation()):
            click.echo(piece.delta, nl=False)
    finally:
        engine.close()
    click.echo()
    click.echo("\n".join(("", piece.received.clue_type, *piece.received.clue_data)), err=True)
