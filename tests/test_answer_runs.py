"""Kept runs beside each other, and the command that measures answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from answered import Engines, report, row, written
from click.testing import CliRunner, Result
from fakes import FakeModel
from jsonschema import Draft202012Validator

from pocketqa import answer_runs, app
from pocketqa.answer_evaluation import METRICS, WAYS
from pocketqa.cli import main
from pocketqa.config import Config
from pocketqa.engine import Engine
from pocketqa.errors import ModelError, PocketQAError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "office")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()
    monkeypatch.setattr(app, "start_engine", found)
    return found


def run(*arguments: object, **env: str) -> Result:
    return CliRunner().invoke(main, ["eval", "answers", *map(str, arguments)], env=env)


def test_settings_are_kept_without_secrets() -> None:
    config = Config(secret_key="hush", engine_key="hush", engine_url="http://x/v1")
    used = answer_runs.settings(config, event="CHAT_CS")
    assert "hush" not in json.dumps(used) and used["event"] == "CHAT_CS"
    assert {"version", "model", "precision", "passages", "min_score", "temperature"} <= set(used)
    secrets = [name for name, field in Config.model_fields.items() if not field.repr]
    assert not {*secrets, "secret_key"} & set(used)


def test_two_runs_by_hand(tmp_path: Path) -> None:
    before = report(
        [
            row("q1", "甲", score=0.2), row("q2", "乙", score=0.5), row("q3", "丙", score=0.5),
            row("q4", "丁", score=0.9), row("q5", error="x"),
        ],
        [row("o1", way="refused"), row("o2", way="generated")],
    )  # fmt: skip
    now = report(
        [
            row("q1", "甲乙", score=0.8), row("q2", "乙", score=0.5), row("q3", "无", score=0.2),
            row("q4", error="x"), row("q5", "戊", score=1.0), row("q6", "己", score=1.0),
        ],
        [row("o1", way="refused"), row("o2", way="refused")],
    )  # fmt: skip
    file = tmp_path / "run.json"
    answer_runs.save(file, {"model": "small", "passages": 2}, [before])
    found = answer_runs.compare(answer_runs.load(file), now, {"model": "big", "passages": 2})
    assert found is not None and found.pairs == 3
    assert found.settings == {"model": ("small", "big")}
    recall = found.differences["gold_recall"]
    assert (recall.before, recall.now) == (pytest.approx(0.4), pytest.approx(0.5))
    # Changes of .6, 0 and -.3: their mean is .1, their variance (.25 + .01 + .16) / 2 = .21.
    assert recall.change == pytest.approx(0.1) and recall.error == pytest.approx((0.21 / 3) ** 0.5)
    assert found.differences["characters"].change == pytest.approx(1 / 3)
    assert found.differences["outside_refused"].change == 0.5
    assert found.differences["took_s"].error is None
    assert [each.id for each in found.worse] == ["q3"] and found.worse[0].now == "无"
    assert [each.id for each in found.better] == ["q1"]
    assert found.better[0].char_f1 == pytest.approx(0.6)


def test_a_run_of_other_sets_has_nothing_to_compare(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    answer_runs.save(file, {}, [])
    assert answer_runs.compare(answer_runs.load(file), report([row("q1")]), {}) is None
    answer_runs.save(file, {}, [report([row("q1")])])
    found = answer_runs.compare(answer_runs.load(file), report([row("q2")]), {})
    assert found is not None and found.pairs == 0 and "gold_recall" not in found.differences


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9, "sets": []}', '{"format": 1}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PocketQAError) as error:
        answer_runs.load(file)
    assert error.value.code == "bad_run" and "run.json" in error.value.zh


def test_json_is_one_object_a_set(engines: Engines, folder: Path, tmp_path: Path) -> None:
    others = tmp_path / "others.txt"
    others.write_text("qwertyuiop\n\nasdfghjkl\n", encoding="utf-8")
    done = run(folder, folder, "--json", "--out-of-scope", others, POCKETQA_SECRET_KEY="hush")
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.stdout.splitlines())
    share = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    counts = ("questions", "errors", "skipped", "ungrounded", "ungrounded_answers", "outside")
    speeds = ("first_p50_s", "first_p95_s", "characters_s", "tokens_s", "took_s")
    properties: dict[str, Any] = {
        "name": {"const": "office"}, "event": {"const": "CHAT_CS"}, "passages": {"const": 3},
        **{name: share for name in (*METRICS, *WAYS, "outside_refused")},
        **{name: {"type": "integer"} for name in counts},
        **{name: {"type": "number", "minimum": 0} for name in speeds},
    }  # fmt: skip
    schema = {"properties": properties, "required": [*properties], "additionalProperties": False}
    Draft202012Validator(schema).validate(first)
    assert first["errors"] == 1 and first["outside_refused"] == 1 and first["questions"] == 3
    assert {**second, "took_s": 0} != first and second["gold_recall"] == first["gold_recall"]
    assert engines.started[0].state == "closed"


def test_a_run_is_kept_and_shown_beside_another(
    engines: Engines, folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "run.json"
    done = run(folder, "--save", kept, "--limit", "2", "--at-once", "100")
    assert done.exit_code == 0, done.output
    assert engines.configs[0].queue_size == 100 and "gold_recall" in done.stdout
    saved = json.loads(kept.read_text(encoding="utf-8"))
    assert [each["id"] for each in saved["sets"][0]["rows"]] == ["q1", "q2"]
    assert saved["settings"]["event"] == "CHAT_CS"
    engines.model = FakeModel("早上7点。")
    shown = run(folder, "--against", kept, POCKETQA_PASSAGES="1").stdout
    assert "2 个问题两次都有" in shown and "passages: 2 -> 1" in shown
    assert "变差" in shown or "变好" in shown
    assert "出错 error  q4" in shown and "deadline_exceeded" in shown
    compared = json.loads(run(folder, "--against", kept, "--json").stdout)["against"]
    assert compared["pairs"] == 2
    assert set(compared["differences"]["char_f1"]) == {"before", "now", "change", "error"}
    assert compared["differences"]["characters"]["change"] < 0, "it says less now"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--save", "nowhere/run.json"], "unwritable|无法写入"),
        (["--against", "nowhere.json"], "nowhere.json"),
        (["--out-of-scope", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(
    engines: Engines, folder: Path, arguments: list[str], says: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(folder)
    done = run(folder, *arguments)
    assert done.exit_code == 1 and any(each in done.output for each in says.split("|"))
    assert not engines.started


def test_a_model_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def broken() -> Any:
        raise ModelError("model_missing", "没有模型", "no such model")

    monkeypatch.setattr(app, "start_engine", lambda config: Engine(broken))
    done = run(folder)
    assert done.exit_code == 1 and "没有模型" in done.output
