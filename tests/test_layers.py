"""The house's order: imports run one way, and each big dependency stays in its files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT

PACKAGE = ROOT / "pocketqa"

# From the bottom up; a module may import from its own layer's rank or below.
RANK = {
    **dict.fromkeys(["__init__", "errors"], 0),
    **dict.fromkeys(["config", "protocol", "packets", "threads", "deployment"], 1),
    **dict.fromkeys(
        [
            "documents",
            "analysis",
            "readers",
            "passages",
            "dialogue",
            "catalogue",
            "cache",
            "conversion",
            "numerals",
            "mentions",
            "facts",
            "constraining",
        ],
        2,
    ),
    **dict.fromkeys(
        ["segments", "codec", "store", "generations", "reading", "followup", "engine", "sources"],
        3,
    ),
    **dict.fromkeys(
        ["synonyms", "question", "matrix", "matrices", "ranking", "calibration", "related"], 3
    ),
    **dict.fromkeys(["aspects", "extracting"], 3),
    **dict.fromkeys(["retriever", "queries", "grounding"], 4),
    **dict.fromkeys(["prompt", "models", "indexing", "export", "live"], 5),
    **dict.fromkeys(["answering", "editing", "beir", "evaluation", "reliability"], 6),
    **dict.fromkeys(["expansion", "answer_metrics", "answer_evaluation", "answer_runs"], 6),
    **dict.fromkeys(["running", "client"], 7),
    **dict.fromkeys(["events", "views"], 8),
    "app": 9,
    "server": 10,
    **dict.fromkeys(["cli", "cli_kb", "cli_eval", "cli_eval_answers"], 11),
    "__main__": 12,
}
HOMES = {
    "whoosh": {"codec", "segments", "store"},
    "torch": {"engine"},
    "transformers": {"engine"},
    "gguf": {"engine"},
    "numba": {"engine"},
    "llvmlite": {"engine"},
    "openai": {"engine"},
    "httpx2": {"engine"},
    "flask": {"events", "views", "app", "server"},
    "flask_socketio": {"events", "app"},
    "gevent": {"threads", "server"},
    "geventwebsocket": {"server"},
    "socketio": {"client"},
    "click": {"cli", "cli_kb", "cli_eval", "cli_eval_answers"},
    "ir_measures": {"evaluation"},
    "matplotlib": {"reliability"},
    "pydantic": {"config"},
    "rjieba": {"analysis"},
    "opencc": {"analysis"},
    "huggingface_hub": {"sources"},
    "python_calamine": {"readers"},
    "docx": {"readers"},
    "pypdfium2": {"readers"},
    "lxml": {"readers"},
}


def modules() -> dict[Path, str]:
    """Every source file, with its module's name; a folder's files count as the folder."""
    return {
        file: file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for file in PACKAGE.rglob("*.py")
    }


def imports(source: str, depth: int = 0) -> set[tuple[bool, str]]:
    """(is ours, top name) of everything that `source` imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(False, alias.name.split(".")[0]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((False, (node.module or "").split(".")[0]))
        elif isinstance(node, ast.ImportFrom) and node.level > depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {(True, name.split(".")[0]) for name in names if name}
    return found


def breaches(module: str, source: str, depth: int = 0) -> list[str]:
    """What in `source` a file of `module` may not import."""
    found = []
    for ours, name in imports(source, depth):
        if ours and name in RANK and RANK[name] > RANK[module]:
            found.append(f"{module} imports {name} from above")
        if not ours and name in HOMES and module not in HOMES[name]:
            found.append(f"{module} imports {name}, which belongs to {HOMES[name]}")
    return found


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(file: Path) -> None:
    module = modules()[file]
    assert module in RANK, f"give {module} its place in RANK"
    depth = len(file.relative_to(PACKAGE).parts) - 1
    assert breaches(module, file.read_text(encoding="utf-8"), depth) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("prompt", "import torch"),
        ("answering", "from whoosh.index import open_dir"),
        ("protocol", "from .answering import chat"),
        ("dialogue", "def f():\n    from . import app"),
        ("retriever", "import gevent.monkey"),
    ],
)
def test_a_breach_is_found(module: str, source: str) -> None:
    assert breaches(module, source)


@pytest.mark.parametrize(
    "file",
    [
        file
        for pattern in ("*.py", "*.js", "*.css", "*.html")
        for file in ROOT.rglob(pattern)
        if not {".venv", "node_modules", "vendor", "build"} & set(file.relative_to(ROOT).parts)
    ],
    ids=lambda file: file.relative_to(ROOT).as_posix(),
)
def test_files_stay_small(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("command", [["-c", "import pocketqa"], ["-m", "pocketqa", "--help"]])
def test_the_light_ways_load_nothing_heavy(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "transformers", "gevent", "flask", "whoosh"}


def test_the_parsers_load_with_the_first_file_of_their_kind() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import pocketqa.passages"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"python_calamine", "docx", "pypdfium2", "lxml"}
