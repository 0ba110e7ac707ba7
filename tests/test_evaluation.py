from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from servers import ROOT

from pocketqa import beir, evaluation
from pocketqa.cli import main
from pocketqa.errors import KnowledgeError
from pocketqa.evaluation import FIGURES, Answer, Top
from pocketqa.passages import Hit, Passage

CORPUS = [
    {"_id": "a", "title": "食堂几点开门？", "text": "早上七点。"},
    {"_id": "b", "title": "图书馆怎么借书？", "text": "凭工作证在一楼借。", "category": "书"},
    {"_id": "c", "title": "停车场须知", "text": "访客车辆停在地下二层。"},
]
QUERIES = [
    {"_id": "q1", "text": "食堂开门时间", "split": "fit"},
    {"_id": "q2", "text": "没有判断的问题", "split": "fit"},
    {"_id": "q3", "text": "访客车辆停哪", "split": "test"},
]
QRELS = ["query-id\tcorpus-id\tscore", "q1\ta\t2", "q3\tc\t1", "q3\ta\t0"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of three passages and three queries, one of them without judgements."""
    at = tmp_path / "office"
    (at / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (at / f"{name}.jsonl").write_text(text + "\n", encoding="utf-8")
    (at / "qrels" / "test.tsv").write_text("\n".join(QRELS) + "\n", encoding="utf-8")
    return at


def run(*arguments: object, **env: str) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), env=env)


def found(*names: str, score: float = 0.9) -> Answer:
    """The answer that has found the passages with these ids."""
    return Answer([Hit(Passage(name, name, name), score) for name in names], 1.0)


def test_measures_are_those_computed_by_hand() -> None:
    answers = {
        "first": found("a", "x"),
        "second": found("x", "b", "c"),
        "sixth": found(*"uvwxyd"),
        "nothing": found(),
    }
    qrels = {"first": {"a": 1}, "second": {"b": 1, "c": 2}, "sixth": {"d": 1}, "nothing": {"e": 1}}
    gained = 1 / math.log2(3) + 2 / math.log2(4)
    ndcg = (1 + gained / (2 + 1 / math.log2(3)) + 1 / math.log2(7)) / 4
    assert evaluation.ranking(answers, qrels) == pytest.approx(
        {
            "hit@1": 1 / 4, "hit@5": 2 / 4, "hit@10": 3 / 4,
            "mrr@10": (1 + 1 / 2 + 1 / 6) / 4, "ndcg@10": ndcg,
        },
        abs=1e-4,
    )  # fmt: skip


def test_refusals_are_those_below_the_threshold() -> None:
    answers = [found("a", score=0.5), found("a", score=0.49), found(), found("a")]
    assert evaluation.service(answers, 0.5)["refused"] == 0.5


def test_calibration_error_by_hand() -> None:
    tops = [
        *[Top(0.9, True)] * 3, Top(0.98, False),  # mean .92, share .75: apart .17
        Top(0.3, False), Top(0.3, True),  # mean .3, share .5: apart .2
        Top(1.0, True),  # joins the first: mean .936, share .8
    ]  # fmt: skip
    assert evaluation.calibration_error(tops) == pytest.approx((5 * 0.136 + 2 * 0.2) / 7)
    assert [each.n for each in evaluation.bins(tops)] == [2, 5]
    assert evaluation.calibration_error([]) == 0


def test_the_top_passage() -> None:
    assert evaluation.top(found("a", "b"), {"b": 1}) == Top(0.9, False)
    assert evaluation.top(found("a"), {"a": 0}) == Top(0.9, False)
    assert evaluation.top(found("a"), {"a": 2}) == Top(0.9, True)
    assert evaluation.top(found(), {"a": 1}) == Top(0.0, False)


def test_a_set_is_read_as_it_is(folder: Path) -> None:
    dataset = beir.load(folder)
    assert [passage.id for passage in dataset.passages] == ["a", "b", "c"]
    assert [passage.kind for passage in dataset.passages] == ["curated", "curated", "document"]
    assert dataset.passages[1].category == "书" and list(dataset.queries) == ["q1", "q3"]
    assert list(beir.load(folder, "test").queries) == ["q3"]


def test_json_is_one_object_a_set(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    done = run("eval", "retrieval", folder, folder, "--json", POCKETQA_INDEX=str(index))
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.stdout.splitlines())
    assert set(first) == {*FIGURES, "name", "queries", "passages", "index_s", "index_mb"}
    assert (first["name"], first["queries"], first["passages"]) == ("office", 2, 3)
    assert first["hit@1"] == second["hit@1"] == first["ndcg@10"] == 1.0
    assert not index.exists()


def test_table_and_limit(folder: Path) -> None:
    done = run("eval", "retrieval", folder, "--limit", "1")
    header, line = done.stdout.splitlines()
    row = dict(zip(header.split(), line.split(), strict=True))
    assert [name for name in row if name in FIGURES] == FIGURES
    assert row["queries"] == "1" and row["passages"] == "3" and row["mrr@10"] == "1.0000"
    assert len(header) == len(line)


def test_plot(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "curve.png"
    assert run("eval", "retrieval", folder, "--plot", file).exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 10_000
    done = run("eval", "retrieval", folder, "--plot", tmp_path / "none" / "curve.png")
    assert done.exit_code == 1 and "无法写入" in done.output


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("corpus.jsonl", '{"_id": "a", "title": "x", "text": "y"}\n{"_id": ', "corpus.jsonl:2:"),
        ("corpus.jsonl", "[1]\n", "corpus.jsonl:1:"),
        ("corpus.jsonl", '\n{"_id": "a"}\n', "corpus.jsonl:2:"),
        ("corpus.jsonl", '{"_id": "a", "text": "y", "title": null}\n', "title"),
        ("corpus.jsonl", '{"_id": "a", "text": "y"}\n' * 2, "_id"),
        ("corpus.jsonl", "[" * 5000, "corpus.jsonl:1:"),
        ("corpus.jsonl", "", "corpus.jsonl"),
        ("queries.jsonl", '{"text": "y"}\n', "queries.jsonl:1:"),
        ("queries.jsonl", '{"_id": "q1", "text": "y"}\n' * 2, "queries.jsonl:2:"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq9\ta\t1\n", "q9"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\tz\t1\n", "test.tsv:2:"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 a 1\n", "test.tsv:2:"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t0.5\n", "test.tsv:2:"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t0\n", "relevant"),
        ("qrels/test.tsv", "", "relevant"),
    ],
)
def test_a_bad_set_is_an_error_that_says_where(
    folder: Path, file: str, text: str, says: str
) -> None:
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeError) as error:
        beir.load(folder)
    assert says in error.value.en and re.search("[\u4e00-\u9fff]", error.value.zh)


def test_a_file_that_is_not_utf8(folder: Path) -> None:
    (folder / "corpus.jsonl").write_bytes('{"_id": "a", "text": "食堂"}'.encode("gb18030"))
    with pytest.raises(KnowledgeError, match="UTF-8"):
        beir.load(folder)


@pytest.mark.parametrize("gone", ["queries.jsonl", "qrels/test.tsv"])
def test_what_is_missing_is_named(folder: Path, gone: str) -> None:
    (folder / gone).unlink()
    done = run("eval", "retrieval", folder)
    assert done.exit_code == 1 and gone in done.output and "BEIR" in done.output
    assert run("eval", "retrieval", folder / "nowhere").exit_code == 1


def test_without_a_corpus_the_demo_is_searched(folder: Path) -> None:
    dataset = beir.load(ROOT / "benchmarks" / "hall", "test")
    assert dataset.name == "hall" and len(dataset.queries) > 100
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(KnowledgeError, match="no corpus.jsonl, and the demo knowledge"):
        beir.load(folder)
    with pytest.raises(KnowledgeError, match="split=other"):
        beir.load(ROOT / "benchmarks" / "hall", "other")


def test_refusal_counts_by_kind(demo_index: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "身份证丢失怎么补办？", "kind": "own"},
        {"text": "qwertyuiop zxcvbnm", "kind": "noise", "split": "test"},
        {"text": "asdfgh hjklqw"},
    ]
    file = tmp_path / "asked.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    env = {"POCKETQA_INDEX": str(demo_index), "POCKETQA_MIN_SCORE": "0.3"}
    counts = json.loads(run("eval", "refusal", file, "--json", **env).stdout)
    assert counts == {
        "own": {"n": 1, "refused": 0}, "noise": {"n": 1, "refused": 1},
        "-": {"n": 1, "refused": 1}, "all": {"n": 3, "refused": 2},
    }  # fmt: skip
    plain = run("eval", "refusal", file, "--split", "test", **env).stdout
    assert "noise" in plain and "own" not in plain and "100.0%" in plain


@pytest.mark.parametrize("name", ["asked.jsonl", "asked.txt"])
def test_search_of_a_file(demo_index: Path, tmp_path: Path, name: str) -> None:
    texts = ["身份证丢了怎么办", "qwertyuiop", "", "公积金怎么提取"]
    file = tmp_path / name
    as_json = [json.dumps({"text": text}) if text else "" for text in texts]
    file.write_text("\n".join(as_json if name.endswith("jsonl") else texts), encoding="utf-8")
    done = run("search", "--file", file, "--json", POCKETQA_INDEX=str(demo_index))
    found = list(map(json.loads, done.stdout.splitlines()))
    assert [row["text"] for row in found] == [text for text in texts if text]
    assert [set(row) for row in found] == [{"text", "hits", "refused"}] * 3
    assert set(found[0]["hits"][0]) == {"id", "score", "title"}
    assert found[1]["hits"] == [] and found[1]["refused"] is True
    plain = run("search", "--file", file, "-k", "1", POCKETQA_INDEX=str(demo_index)).stdout
    assert "# 公积金怎么提取" in plain


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--file", "nowhere.txt"], "nowhere.txt"),
        (["--file", "bad.jsonl"], "bad.jsonl:2:"),
        (["身份证", "--file", "bad.jsonl"], "--file"),
        ([], "--file"),
    ],
)
def test_search_of_what_is_no_file_of_questions(
    demo_index: Path, tmp_path: Path, arguments: list[str], says: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl").write_text('{"text": "x"}\n{"question": "y"}\n', encoding="utf-8")
    done = run("search", *arguments, POCKETQA_INDEX=str(demo_index))
    assert done.exit_code == 1 and says in done.output
