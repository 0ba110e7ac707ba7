from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fakes import FakeModel

from pocketqa import app, cli, expansion, export, indexing, segments
from pocketqa.config import load
from pocketqa.engine import Engine
from pocketqa.errors import KnowledgeError, ModelError
from pocketqa.expansion import Expander, clean
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever

CANTEEN = Passage(
    "curated-1",
    "食堂几点开门?",
    "食堂早上七点开门，周末停业。就餐刷工作证，访客可以扫码付款。",
    ("食堂什么时候营业",),
)
LIBRARY = Passage("curated-2", "怎么借书?", "凭工作证在一楼服务台借书，一次最多五本，期限三十天。")
RULES = Passage("document-1", "停车 › 收费", "外来车辆每小时三元，封顶二十元。", kind="document")
HELLO = Passage("smalltalk-1", "你好", "您好。", kind="smalltalk")
ENGLISH = Passage("curated-3", "How do I park?", "Visitors park behind the main building for free.")


@pytest.fixture
def model() -> FakeModel:
    return FakeModel("1. 访客怎么付款？\n2. 周末食堂开吗？")


@pytest.fixture
def engine(model: FakeModel) -> Iterator[Engine]:
    engine = Engine(lambda: model)
    engine.wait()
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1. 访客怎么付款？\n2、周末食堂开吗?", ["访客怎么付款？", "周末食堂开吗?"]),
        ("（1）访客怎么付款？ (2) 周末食堂开吗？", ["访客怎么付款？", "周末食堂开吗？"]),
        ("- “访客怎么付款？”\n* **周末食堂开吗？**", ["访客怎么付款？", "周末食堂开吗？"]),
        ("问题1：访客怎么付款？\nQ2: 周末食堂开吗？", ["访客怎么付款？", "周末食堂开吗？"]),
        (
            "怎么做：要什么：访客怎么付款？\nHow: 周末食堂开吗？",
            ["访客怎么付款？", "周末食堂开吗？"],
        ),
        ("访客怎么付款？访客怎么付款?\n访 客 怎 么 付 款？", ["访客怎么付款？"]),
        ("7.5元就餐可以扫码付款吗？", ["7.5元就餐可以扫码付款吗？"]),
        ("食堂几点开门？\n食堂什么时候营业？\n几点开门？", []),  # echoes
        ("以下是三个问题：\n食堂早上七点开门。", []),  # no questions
        ("访客可以扫码付", []),  # cut off
        ("啊？\n？？？\n" + "访客可以扫码付款" * 10 + "？", []),  # too short, too long
        ("How can visitors pay?\n食堂 is open when on the weekend for visitors?", []),
        ("去图书馆借书要办什么手续？\n护照丢了去哪里补办？", []),  # of the example, of nothing
        ("", []),
        ("\x00\ud800？\n？\n1.", []),
    ],
)
def test_cleaning(written: str, kept: list[str]) -> None:
    assert list(clean(written, CANTEEN, 3)) == kept


def test_at_most_so_many_and_in_the_passages_language() -> None:
    assert len(clean("访客怎么付款？周末停业吗？就餐要工作证吗？", CANTEEN, 2)) == 2
    written = "1. Where do visitors park?\n2. 访客在哪里停车？\n3. Is parking behind it free?"
    assert clean(written, ENGLISH, 3) == ("Where do visitors park?", "Is parking behind it free?")
    assert "Write 3 different" in expansion.messages(ENGLISH, 3)[-1]["content"]
    assert "写3个不同的" in expansion.messages(CANTEEN, 3)[-1]["content"]


def test_a_long_passage_is_cut_for_the_prompt() -> None:
    long = Passage("curated-9", "长?", "很长。" * 10_000)
    assert sum(len(each["content"]) for each in expansion.messages(long, 3)) < 2_000


def test_each_is_asked_about_once(tmp_path: Path, model: FakeModel, engine: Engine) -> None:
    passages = [CANTEEN, HELLO, RULES, CANTEEN]
    first = Expander(tmp_path / "index", "tiny", 3)
    assert first.missing(passages) == [CANTEEN, RULES]
    first.write(first.missing(passages), engine)
    assert len(model.prompts) == 2
    again = Expander(tmp_path / "index", "tiny", 3)
    assert again.missing(passages) == []
    canteen, hello, rules, _ = again.expand(passages)
    assert canteen.expansion == ("访客怎么付款？", "周末食堂开吗？") and canteen.similar
    assert hello.expansion == () and rules.expansion == ()  # no word of it is about parking


@pytest.mark.parametrize(
    ("model_name", "count", "passage"),
    [
        ("other", 3, CANTEEN),
        ("tiny", 2, CANTEEN),
        ("tiny", 3, LIBRARY),
        ("tiny", 3, Passage("curated-1", CANTEEN.title, "食堂关门了。")),
    ],
)
def test_what_was_written_for_something_else_is_not_used(
    tmp_path: Path, engine: Engine, model_name: str, count: int, passage: Passage
) -> None:
    Expander(tmp_path / "index", "tiny", 3).write([CANTEEN], engine)
    other = Expander(tmp_path / "index", model_name, count)
    assert other.missing([passage]) == [passage]
    assert other.expand([passage]) == [passage]


def test_an_interrupted_run_goes_on(tmp_path: Path, model: FakeModel, engine: Engine) -> None:
    expander = Expander(tmp_path / "index", "tiny", 3)
    passages = [CANTEEN, LIBRARY, RULES]

    def until_the_second() -> Iterator[Passage]:
        for passage in passages:
            model.fault = RuntimeError("planted") if passage is LIBRARY else None
            yield passage

    with pytest.raises(RuntimeError, match="planted"):
        expander.write(until_the_second(), engine)
    # What a kill in the middle of a line leaves.
    with expander.file.open("ab") as file:
        file.write(b'{"key": "\xe9\xa3')
    model.fault = None
    resumed = Expander(tmp_path / "index", "tiny", 3)
    assert resumed.missing(passages) == [LIBRARY, RULES]
    resumed.write(resumed.missing(passages), engine)
    assert Expander(tmp_path / "index", "tiny", 3).missing(passages) == []


def test_damaged_lines_are_asked_for_again(tmp_path: Path) -> None:
    expander = Expander(tmp_path / "index", "tiny", 3)
    expander.file.write_bytes(b'\xff\xfe\nnull\n[1]\n{"key": "x"}\n' + b"[" * 9_999 + b"\n7\n")
    assert Expander(tmp_path / "index", "tiny", 3).missing([CANTEEN]) == [CANTEEN]


def test_a_file_that_cannot_be_written_or_read(tmp_path: Path, engine: Engine) -> None:
    expander = Expander(tmp_path / "index", "tiny", 3)
    expander.file.mkdir()
    with pytest.raises(KnowledgeError) as caught:
        expander.write([CANTEEN], engine)
    assert caught.value.code == "index_unwritable" and str(expander.file) in caught.value.zh
    with pytest.raises(KnowledgeError) as caught:
        Expander(tmp_path / "index", "tiny", 3)
    assert caught.value.code == "index_unreadable"


def test_a_model_that_stops_leaves_no_half_answer(tmp_path: Path) -> None:
    model = FakeModel("慢" * 400, pause_s=0.01)
    engine = Engine(lambda: model)
    engine.wait()
    expander = Expander(tmp_path / "index", "tiny", 3)
    submitted = engine.submit

    def submit_and_close(*arguments: object) -> object:
        generation = submitted(*arguments)  # type: ignore[arg-type]
        engine.close()
        return generation

    engine.submit = submit_and_close  # type: ignore[method-assign, assignment]
    with pytest.raises(ModelError, match="stopped"):
        expander.write([CANTEEN], engine)
    assert expander.missing([CANTEEN]) == [CANTEEN]


def test_found_by_its_question_and_not_taken_for_known(tmp_path: Path) -> None:
    question = "散客早饭哪里扫码？"
    expanded = Passage(**{**vars(CANTEEN), "expansion": (question,)})
    indexing.build_index([LIBRARY, RULES, expanded], tmp_path / "index")
    retriever = Retriever.open(tmp_path / "index")
    hit = retriever.retrieve("散客")[0]  # a word of the question only
    assert hit.passage == expanded
    assert retriever.retrieve(question)[0].score < 1
    assert retriever.retrieve("食堂什么时候营业")[0].score == 1
    retriever.close()


def test_exported_apart_from_what_people_wrote() -> None:
    expanded = Passage(**{**vars(CANTEEN), "expansion": ("散客早饭哪里扫码？",)})
    assert "散客" not in export.to_csv([expanded])
    row = json.loads(export.to_jsonl([expanded]))
    assert row["similar"] == ["食堂什么时候营业"] and row["expansion"] == ["散客早饭哪里扫码？"]
    assert "expansion" not in export.row(CANTEEN)


def test_passages_stored_before_there_was_expansion() -> None:
    stored = {key: value for key, value in vars(CANTEEN).items() if key != "expansion"}
    assert segments._load(json.dumps(stored)) == CANTEEN


@pytest.fixture
def faq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two questions; the configured index lies beside it."""
    monkeypatch.setenv("POCKETQA_INDEX", str(tmp_path / "index"))
    file = tmp_path / "faq.csv"
    file.write_text(
        f"问题,答案\n{CANTEEN.title},{CANTEEN.text}\n{LIBRARY.title},{LIBRARY.text}\n",
        encoding="utf-8",
    )
    return file


def index_with(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[], FakeModel], *arguments: str
) -> Result:
    """`pocketqa index`, where the model is what `load` returns."""
    monkeypatch.setattr(app, "start_engine", lambda config: Engine(load))
    return CliRunner().invoke(cli.main, ["index", *arguments])


def unavailable() -> FakeModel:
    raise ModelError("model_unavailable", "无法加载模型", "cannot load the model")


def test_index_expand(faq: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    done = index_with(monkeypatch, lambda: model, str(faq), "--expand", "--questions", "1")
    assert done.exit_code == 0 and "2 条已建索引" in done.stdout
    assert len(model.prompts) == 2 and "写1个" in model.prompts[0][-1]["content"]
    found = {each.title: each for each in indexing.read_all(faq.parent / "index")}
    assert found[CANTEEN.title].expansion == ("访客怎么付款？",)
    # A rebuild needs no model, and one without --expand leaves the questions out.
    again = index_with(monkeypatch, unavailable, str(faq), "--expand", "--questions", "1")
    assert again.exit_code == 0
    assert indexing.read_all(faq.parent / "index") == list(found.values())
    assert index_with(monkeypatch, unavailable, str(faq)).exit_code == 0
    assert not any(each.expansion for each in indexing.read_all(faq.parent / "index"))


def test_index_expand_interrupted(
    faq: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_with(monkeypatch, unavailable, str(faq))
    before = indexing.read_all(faq.parent / "index")
    model.fault = KeyboardInterrupt()
    done = index_with(monkeypatch, lambda: model, str(faq), "--expand")
    assert done.exit_code == 1 and "再次运行会接着写" in done.stderr
    assert indexing.read_all(faq.parent / "index") == before


def test_index_expand_without_a_model(faq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = index_with(monkeypatch, unavailable, str(faq), "--expand")
    assert done.exit_code == 1 and "无法加载模型\ncannot load" in done.stderr
    assert not list(faq.parent.glob("index/gen-*"))


@pytest.mark.model
def test_the_real_model_writes_questions(tmp_path: Path) -> None:
    config = load()
    engine = app.start_engine(config)
    expander = Expander(tmp_path / "index", config.model, 3)
    engine.wait()
    try:
        expander.write([CANTEEN, LIBRARY], engine)
    finally:
        engine.close()
    assert expander.missing([CANTEEN, LIBRARY]) == []
    written = [
        question for each in expander.expand([CANTEEN, LIBRARY]) for question in each.expansion
    ]
    assert written, expander.file.read_text(encoding="utf-8")
