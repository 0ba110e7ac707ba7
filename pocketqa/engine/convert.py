"""Convert a GGUF file, once, to the safetensors directory that the engine loads in seconds.

`python -m pocketqa.engine.convert GGUF TARGET`: a process of its own, so that the memory of the
conversion goes back to the system.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import gguf as library

from ..cache import sha256
from ..conversion import FORMAT
from .gguf_model import CannotPackError, pack_gguf
from .lean_loading import prepare

# Either ends an answer of a ChatML model; a GGUF names only one of them.
END_TOKENS = ("<|im_end|>", "<|endoftext|>")


def convert(gguf: Path, target: Path) -> None:
    """Write the directory `target` from `gguf`: bfloat16 weights, tokenizer, chat template.

    Beside them lie the file's own integers, `packed.safetensors` (see `packing`), for a model of
    the usual shape. The directory appears whole or not at all; an older `target` is replaced.
    `converted.json` in it names the format, the source's sha256, each file's size and sha256, and
    why there is no packed file (`not_packed`).
    """
    for leftover in target.parent.glob(f"{target.name}.part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # A name of its own: an orphan of a killed run may still be writing to the last one.
    beside = target.with_name(f"{target.name}.part-{os.getpid()}")
    beside.mkdir(parents=True)
    _save(gguf, beside)
    manifest: dict[str, object] = {"format": FORMAT, "source_sha256": sha256(gguf)}
    try:
        pack_gguf(library.GGUFReader(str(gguf)), beside)
    except CannotPackError as error:
        manifest["not_packed"] = {"zh": error.zh, "en": error.en}
    for file in beside.iterdir():
        file.chmod(0o644)  # safetensors writes 0600, and the cache may be shared
    manifest["files"] = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(beside.iterdir())
    }
    (beside / "converted.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    prepare(target)


def _save(gguf: Path, directory: Path) -> None:
    """Write model and tokenizer as transformers reads them from the GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16)
    _prepare(model, tokenizer)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def _prepare(model: Any, tokenizer: Any) -> None:
    """Make a model loaded from GGUF an ordinary one, with every token that ends an answer."""
    # Left as they are, saving would look for a quantised checkpoint.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    vocabulary = tokenizer.get_vocab()
    ends = [tokenizer.eos_token_id, *(vocabulary[end] for end in END_TOKENS if end in vocabulary)]
    model.generation_config.eos_token_id = list(dict.fromkeys(ends))
    tokenizer.model_max_length = model.config.max_position_embeddings


def main() -> None:
    """Convert as the command line says."""
    # transformers parses the file's 150,000 tokens three times, 6 s each; we need them once more.
    library.GGUFReader = functools.cache(library.GGUFReader)  # type: ignore[assignment,misc]
    convert(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())


if __name__ == "__main__":
    main()
