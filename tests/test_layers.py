"""The house's order: imports run one way, and each big dependency stays in its files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT

PACKAGE = ROOT / "pocketqa"

# From the bottom up; a module may import from its own layer or below.
LAYERS = [
    "__init__ errors",
    "config protocol payloads commands packets threads deployment headers origins compression",
    """documents analysis folding readers passages dialogue catalogue cache conversion kinds
    confinement identity logs changes""",
    """segments codec store generations background synonyms question matrix matrices ranking
    calibration related reading followup engine sources wordlist storage metrics rates""",
    "retriever queries grounding explaining visitors",
    "prompt models indexing export live sensitive summarising writing",
    """services saying grounded editing expansion beir evaluation answer_metrics
    reliability ingest importing upload uploads""",
    "answering answer_evaluation answer_runs running client replay observing",
    "backlog delivery shared gate",
    "control events watch ending views upload_views admin_views",
    "app handshake",
    "server",
    "cli cli_client cli_kb cli_eval cli_eval_answers cli_model cli_dialogues cli_keys cli_stats",
    "__main__",
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
HOMES = {
    "whoosh": {"codec", "segments", "store"},
    "torch": {"engine"},
    "transformers": {"engine"},
    "gguf": {"engine"},
    "numba": {"engine"},
    "llvmlite": {"engine"},
    "openai": {"engine"},
    "httpx2": {"engine"},
    "flask": {"control", "events", "views", "upload_views", "admin_views", "app", "server"},
    "werkzeug": {"admin_views", "gate", "upload_views"},
    "flask_socketio": {"control", "delivery", "ending", "events", "shared", "watch", "app"},
    "gevent": {"threads", "server"},
    "geventwebsocket": {"handshake"},
    "socketio": {"client", "packets", "shared"},
    "click": {
        "cli",
        "cli_client",
        "cli_kb",
        "cli_eval",
        "cli_eval_answers",
        "cli_model",
        "cli_dialogues",
        "cli_keys",
        "cli_stats",
    },
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "prometheus_client": {"metrics"},
    "structlog": {"logs"},
    "limits": {"rates"},
    "redis": {"shared"},
    "ir_measures": {"evaluation"},
    "matplotlib": {"reliability"},
    "pydantic": {"config"},
    "rjieba": {"analysis"},
    "opencc": {"analysis"},
    "huggingface_hub": {"sources"},
    "python_calamine": {"readers"},
    "docx": {"readers"},
    "pptx": {"readers"},
    "rapidocr": {"readers"},
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
