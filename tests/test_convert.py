"""The conversion of a GGUF file, on a model of a few thousand random weights."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from pocketqa import models
from pocketqa.conversion import is_converted
from pocketqa.engine.packing import load_packed, unpack
from pocketqa.errors import ModelError

pytest_plugins = ["tiny"]


def test_converted_weights_are_the_files(tiny_gguf: Path, converted: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(converted)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(tiny_gguf).tensors}
    pairs = {
        "token_embd.weight": model.model.embed_tokens.weight,
        "output.weight": model.lm_head.weight,
        "blk.0.ffn_down.weight": model.model.layers[0].mlp.down_proj.weight,
    }
    for name, weight in pairs.items():
        exact = torch.from_numpy(np.array(stored[name].data))
        assert weight.dtype == torch.bfloat16 and torch.equal(weight, exact.bfloat16())


def test_packed_weights_are_the_files(tiny_gguf: Path, converted: Path) -> None:
    matrices = load_packed(converted)
    assert len(matrices) == 8
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(tiny_gguf).tensors}
    pairs = {
        "output.weight": "lm_head.weight",
        "blk.0.attn_k.weight": "model.layers.0.self_attn.k_proj.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
    }
    for name, theirs in pairs.items():
        exact, matrix = np.array(stored[name].data), matrices[theirs]
        packed = unpack(matrix.data, matrix.format, matrix.rows, matrix.columns)
        steps = 15 if matrix.format == "q6" else 250
        assert np.abs(packed - exact).max() <= np.abs(exact).max() / steps


def test_converted_model_continues_as_the_gguf_does(tiny_gguf: Path, converted: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "身份证 ab"}], return_tensors="pt", return_dict=True
    )
    assert tokenizer.decode(ids["input_ids"][0]) == (
        "<|im_start|>user\n身份证 ab<|im_end|>\n<|im_start|>assistant\n"
    )
    sources = (
        (converted, {}),
        (tiny_gguf.parent, {"gguf_file": tiny_gguf.name, "dtype": torch.bfloat16}),
    )
    outputs = []
    for folder, options in sources:
        model = AutoModelForCausalLM.from_pretrained(folder, **options)
        outputs.append(model.generate(**ids, max_new_tokens=12, do_sample=False, eos_token_id=[]))
    assert torch.equal(*outputs)


def test_converted_folder(converted: Path) -> None:
    made = json.loads((converted / "converted.json").read_text())
    assert is_converted(converted, made["source_sha256"], verify=True)
    files = {"config.json", "model.safetensors", "packed.safetensors", "tokenizer.json"}
    assert files <= set(made["files"]) and "not_packed" not in made
    generation = json.loads((converted / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [259, 257]  # <|im_end|>, <|endoftext|>
    config = json.loads((converted / "config.json").read_text())
    assert "quantization_config" not in config and not config["tie_word_embeddings"]
    assert [path.name for path in converted.parent.iterdir() if "part" in path.name] == []


def test_broken_gguf_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(ModelError, match="converting the model"):
        models.resolve(str(tmp_path / "broken.gguf"), tmp_path / "home")
