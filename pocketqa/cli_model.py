"""`pocketqa model`: the models that can be fetched."""

from __future__ import annotations

from pathlib import Path

import click

from .errors import PocketQAError


@click.group()
def model() -> None:
    """Language models: list, fetch, path."""


@model.command("list")
def model_list() -> None:
    """The catalogue, and what of it is on this machine."""
    from . import models
    from .config import load

    config = load()
    for name, entry in models.catalogue().items():
        mark = "*" if name == config.model else " "
        here = "已就绪 ready" if models.is_ready(name, config.home) else "未获取 not fetched"
        click.echo(f"{mark} {name}  {entry.bytes / 1e6:,.0f} MB  {entry.licence}  {here}")
        click.echo(f"    {entry.title}\n    sha256 {entry.sha256}")


@model.command("fetch")
@click.argument("name", required=False)
@click.option("--from", "source", type=click.Path(path_type=Path), help="local file or directory")
def model_fetch(name: str | None, source: Path | None) -> None:
    """Fetch, verify and convert a model, compile its kernels; what was interrupted goes on."""
    from . import models
    from .config import load

    config = load()
    name = name or config.model
    found = models.resolve(name, config.home, source=source, verify=True, say=say)
    if isinstance(found, str):
        raise PocketQAError(
            "not_in_catalogue",
            f"{name} 不在模型目录中；设为 POCKETQA_MODEL 后，启动时从模型库获取",
            f"{name} is not in the catalogue: set as POCKETQA_MODEL, it is fetched at the start",
        )
    if found.is_dir():
        from .engine.lean_loading import prepare

        prepare(found)
    click.echo(found)


@model.command("path")
@click.argument("name", required=False)
def model_path(name: str | None) -> None:
    """Where a fetched model lies."""
    from . import models
    from .config import load

    config = load()
    name = name or config.model
    if name in models.catalogue() and not models.is_ready(name, config.home):
        raise PocketQAError(
            "not_fetched",
            f"模型尚未获取，请运行 pocketqa model fetch {name}",
            f"not fetched yet: run pocketqa model fetch {name}",
        )
    click.echo(models.resolve(name, config.home))


def say(zh: str, en: str) -> None:
    """A line in each language, on standard error."""
    click.echo(f"{zh}\n{en}", err=True)
