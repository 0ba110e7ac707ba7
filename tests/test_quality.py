"""The measures of benchmarks/quality.py, with a tiny model and a reading set of two questions."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from servers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import quality
import reference
import teacher
from reference import Case, Reference

from pocketqa.errors import KnowledgeError

pytest_plugins = ["tiny"]

CORPUS = [
    {"_id": "a", "title": "食堂", "text": "早上七点开门。"},
    {"_id": "b", "title": "车库", "text": "在地下二层。"},
]
QUERIES = [
    {"_id": "q1", "text": "几点开门？", "answers": ["七点", "早上七点"]},
    {"_id": "q2", "text": "车库在几层？", "answers": ["地下二层"]},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\tb\t0\nq1\ta\t1\nq2\tb\t1\n"


@pytest.fixture
def reading(tmp_path: Path) -> Path:
    """A reading set in the BEIR layout."""
    at = tmp_path / "reading"
    (at / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (at / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (at / "qrels" / "test.tsv").write_text(QRELS, encoding="utf-8")
    return at


@pytest.fixture(scope="module")
def roomy(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, with a context that holds the product's prompts."""
    at = tmp_path_factory.mktemp("roomy") / "model"
    shutil.copytree(converted, at)
    for name, key in (
        ("config.json", "max_position_embeddings"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        settings = json.loads((at / name).read_text(encoding="utf-8"))
        (at / name).write_text(json.dumps({**settings, key: 1024}), encoding="utf-8")
    return at


class Certain:
    """A network that is sure of one token."""

    def __init__(self, token: int, vocabulary: int) -> None:
        self._row = torch.zeros(vocabulary)
        self._row[token] = 20.0

    def logits(self, ids: list[int]) -> torch.Tensor:
        return self._row.repeat(len(ids), 1)


def of(ids: list[int], prompt: int) -> Reference:
    """A reference over four tokens, in which each token is followed by the next with chance .97."""
    logs = np.log(np.array([[0.97, 0.01, 0.01, 0.01]] * (len(ids) - 1), np.float32))
    top = np.array([[then, *({0, 1, 2, 3} - {then})] for then in ids[1:]], np.int32)
    return Reference(np.array(ids), prompt, top, logs, logs[:, 0])


def test_the_gold_passage_goes_into_the_prompt_as_the_product_builds_it(reading: Path) -> None:
    first, second = reference.cases(reading, 5)
    assert first.answers == ("七点", "早上七点") and second.id == "q2"
    assert [message["role"] for message in first.messages] == ["system", "user"]
    asked = first.messages[-1]["content"]
    assert asked.startswith("材料:\n食堂\n早上七点开门。") and asked.endswith("几点开门？")
    assert len(reference.cases(reading, 1)) == 1


def test_a_set_without_answers_is_refused(reading: Path) -> None:
    text = (reading / "queries.jsonl").read_text(encoding="utf-8")
    (reading / "queries.jsonl").write_text(text.replace("answers", "other"), encoding="utf-8")
    with pytest.raises(KnowledgeError) as error:
        reference.cases(reading, 5)
    assert error.value.code == "no_answers"


def test_divergence_by_hand() -> None:
    p, q = np.log([[0.5, 0.25]]), np.log([[0.25, 0.25]])
    # The rest is .25 here and .5 there.
    assert teacher.divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.25 * np.log(0.5))
    assert teacher.divergence(p, p) == pytest.approx(0)
    whole = np.log([[0.5, 0.5]])
    assert teacher.divergence(whole, whole) == pytest.approx(0)


def test_figures_are_those_counted_by_hand() -> None:
    # Both begin with 0, 1: the position of 0 does not count.
    found = [of([0, 1, 2, 3], prompt=3), of([0, 1, 3, 3, 2], prompt=3)]
    steps: list[int] = []
    forced = teacher.teach(Certain(3, 4), found, lambda: steps.append(1))
    assert len(steps) == 2 and teacher.common(found) == 1
    assert forced.expected.tolist() == [2, 3, 3, 3, 2]
    assert forced.chosen.tolist() == [3] * 5
    assert forced.is_answer.tolist() == [False, True, False, True, True]
    figures = forced.figures()
    assert figures["answer_agreement"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["agreement"] == 0.6
    # Sure of the wrong one it is surprised by 20 nats, three times right by none.
    assert figures["perplexity"] == pytest.approx(np.exp(2 * 20 / 5), rel=1e-3)
    right = 0.97 * np.log(0.97) + 3 * 0.01 * (np.log(0.01) + 20)
    assert forced.divergence[1] == pytest.approx(right, rel=1e-3)


def test_references_beside_themselves() -> None:
    figures = teacher.itself([of([0, 1, 2, 3], 2), of([0, 1, 2, 2], 2)]).figures()
    assert figures["agreement"] == figures["answer_agreement"] == 1
    assert figures["kl"] == 0 and figures["perplexity"] == pytest.approx(1 / 0.97, abs=1e-3)


def test_answers_beside_people_and_beside_the_reference() -> None:
    asked = [Case("q1", [], ("七点", "早上七点")), Case("q2", [], ("地下二层",))]
    figures = quality.compared(["七点", "二层"], ["早上七点", "地下二层"], asked)
    assert figures["char_f1"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)
    assert figures["f1_lost"] == pytest.approx((0 + 1 / 3) / 2, abs=1e-4)
    # Two losses, 0 and 1/3: their standard deviation is a third by the root of 2.
    assert figures["f1_lost_error"] == pytest.approx(1 / 6, abs=1e-4)
    # 七点 of 早上七点, 二层 of 地下二层: here what is shared is one run.
    assert figures["cmrc_f1"] == figures["char_f1"]
    assert figures["gold_recall"] == 0.75 and figures["same_answers"] == 0


def test_a_reference_is_computed_once_and_is_that_of_the_model(
    roomy: Path, reading: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MAX_NEW_TOKENS", 5)
    monkeypatch.setattr(reference, "TOP", 7)
    asked = reference.cases(reading, 5)
    found = reference.references(roomy, asked, tmp_path / "bench")
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "bench").iterdir()}
    assert len(files) == 2
    again = reference.references(roomy, asked, tmp_path / "bench")
    assert all(file.stat().st_mtime_ns == at for file, at in files.items())
    for one, other in zip(found, again, strict=True):
        assert one.prompt == other.prompt and np.array_equal(one.top_logs, other.top_logs)
        assert one.top.shape == (len(one.ids) - 1, 7)
        # The answer is what the reference finds likeliest.
        assert one.ids[one.prompt :].tolist() == one.top[one.prompt - 1 :, 0].tolist()
    figures = teacher.teach(quality.network(roomy, "float32"), found).figures()
    assert figures["agreement"] == 1 and abs(figures["kl"]) < 1e-4
    assert figures["perplexity"] == pytest.approx(
        teacher.itself(found).figures()["perplexity"], rel=1e-3
    )


def test_changed_weights_have_other_references(tmp_path: Path) -> None:
    keys = set()
    for weights in (b"a", b"b"):
        (tmp_path / "model.safetensors").write_bytes(weights)
        keys.add(reference.key(reference.fingerprint(tmp_path), [1, 2]))
    assert len(keys) == 2
    (tmp_path / "packed.safetensors").write_bytes(b"integers of the engine")
    assert reference.key(reference.fingerprint(tmp_path), [1, 2]) in keys


def test_the_whole_command(
    roomy: Path,
    reading: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in (reference, quality):
        monkeypatch.setattr(module, "MAX_NEW_TOKENS", 4)
    monkeypatch.setenv("POCKETQA_MODEL", str(roomy))
    monkeypatch.setenv("POCKETQA_HOME", str(tmp_path / "home"))
    out = tmp_path / "out.json"
    arguments = ["--precision", "float32", "--reading", str(reading), "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
    quality.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["reference", "float32"]
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["precisions"]["float32"]["agreement"] == 1.0
    assert [row["id"] for row in report["answers"]] == ["q1", "q2"]
    assert set(quality.PRECISIONS) >= {"auto", "float32", "int8"}
