"""Generations of an index: whole or not there, one writer at a time, readers undisturbed."""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketqa import generations
from pocketqa.errors import KnowledgeError
from pocketqa.generations import About, Generation, describe, newest, open_newest, signature
from pocketqa.indexing import build, build_index, change
from pocketqa.passages import Passage
from pocketqa.retriever import Retriever


def passage(title: str, text: str = "答案。", **fields: object) -> Passage:
    return Passage(f"id-{title}", title, text, **fields)  # type: ignore[arg-type]


def test_describe(tmp_path: Path) -> None:
    assert describe(tmp_path / "none") is None
    first = build_index([passage("甲")], tmp_path, origin={"demo": "1"})
    assert describe(tmp_path) == first and (first.count, first.origin) == (1, {"demo": "1"})
    assert build_index([passage("乙")], tmp_path).fingerprint != first.fingerprint


def test_progress_is_told_passage_by_passage(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_text("问题,答案\n甲?,一\n乙?,二\n丙?,\n", encoding="utf-8")
    seen: list[tuple[int, int]] = []
    built = build([file], tmp_path / "index", progress=lambda *now: seen.append(now))
    assert seen == [(1, 2), (2, 2)]
    assert (built.about.count, built.files, len(built.faults)) == (2, 1, 1)


def test_a_change_is_a_generation_of_its_own(tmp_path: Path) -> None:
    built = build_index([passage("甲方案"), passage("乙方案")], tmp_path, origin={"demo": "1"})
    old = Retriever.open(tmp_path)
    with generations.lock(tmp_path):
        done = change(tmp_path, [passage("丙方案")], ["id-甲方案"])
    assert (done.added, done.replaced, done.removed) == (1, 0, 1)
    about = describe(tmp_path)
    assert about and (about.count, about.origin) == (2, {}) and about.schema == built.schema
    assert (
        about.fingerprint
        == build_index([passage("丙方案"), passage("乙方案")], tmp_path).fingerprint
    )
    assert {hit.passage.title for hit in old.retrieve("甲方案")} == {"甲方案", "乙方案"}
    old.close()


def test_a_change_without_an_index_makes_one(tmp_path: Path) -> None:
    with generations.lock(tmp_path):
        change(tmp_path, [passage("甲")])
    found = Retriever.open(tmp_path)
    assert found.retrieve("甲")[0].passage.title == "甲"
    found.close()


def test_an_open_index_reads_on_while_others_are_built(tmp_path: Path) -> None:
    build_index([passage("甲方案")], tmp_path)
    old = Retriever.open(tmp_path)
    for number in range(4):
        build_index([passage(f"乙方案{number}")], tmp_path)
    assert old.retrieve("甲方案")[0].passage.title == "甲方案"
    new = Retriever.open(tmp_path)
    assert new.retrieve("乙方案")[0].passage.title == "乙方案3"
    assert sorted(path.name for path in tmp_path.glob("gen-*")) == ["gen-000004", "gen-000005"]
    old.close()
    new.close()


def test_a_failed_build_leaves_the_index(tmp_path: Path) -> None:
    def broken() -> Iterator[Passage]:
        yield passage("乙")
        raise RuntimeError

    before = build_index([passage("甲")], tmp_path)
    with pytest.raises(RuntimeError):
        build_index(broken(), tmp_path)
    assert describe(tmp_path) == before
    assert not list(tmp_path.glob(".building-*"))


def damage_meta(folder: Path) -> None:
    (folder / "meta.json").write_bytes(b"")


def damage_segment(folder: Path) -> None:
    for file in folder.glob("*.seg"):
        file.write_bytes(b"\0" * 100)


def damage_all(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [damage_meta, damage_segment, damage_all])
def test_a_damaged_generation_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    build_index([passage("甲")], tmp_path)
    build_index([passage("乙")], tmp_path)
    damage(tmp_path / "gen-000002")  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        found = Retriever.open(tmp_path)
    assert found.retrieve("甲")[0].passage.title == "甲" and "gen-000002" in caplog.text
    found.close()
    gc.collect()  # Whoosh leaves a file open where it fails
    build_index([passage("丙")], tmp_path)
    assert newest(tmp_path).folder.name == "gen-000003"  # type: ignore[union-attr]


def test_a_reader_that_writers_overtake_gets_the_newest(tmp_path: Path) -> None:
    build_index([passage("甲")], tmp_path)

    def opened(generation: Generation) -> str:
        if generation.folder.name == "gen-000001":
            for title in "乙丙丁":
                build_index([passage(title)], tmp_path)
            raise FileNotFoundError
        return generation.folder.name

    assert open_newest(tmp_path, opened) == "gen-000004"


def test_the_signature_tells_generations_apart(tmp_path: Path) -> None:
    seen = {signature(tmp_path / "none"), signature(tmp_path)}
    assert seen == {frozenset()}
    build_index([passage("甲")], tmp_path)
    seen.add(signature(tmp_path))
    (tmp_path / "gen-000001").rename(tmp_path / "away")
    build_index([passage("甲")], tmp_path)  # takes the name again
    seen.add(signature(tmp_path))
    (tmp_path / "gen-000001" / "meta.json").unlink()
    seen.add(signature(tmp_path))
    assert len(seen) == 4


def test_a_second_writer_hears_who_is_first(tmp_path: Path) -> None:
    with generations.lock(tmp_path), pytest.raises(KnowledgeError, match="process") as caught:
        build_index([passage("甲")], tmp_path)
    assert caught.value.code == "index_locked" and "进程" in caught.value.zh
    build_index([passage("甲")], tmp_path)


def test_a_lock_without_a_name_is_a_lock(tmp_path: Path) -> None:
    with generations.lock(tmp_path):
        (tmp_path / ".lock.json").write_text("{")
        with pytest.raises(KnowledgeError, match="another process"):
            build_index([passage("甲")], tmp_path)


def test_what_killed_writers_left_goes_with_the_next_lock(tmp_path: Path) -> None:
    (tmp_path / ".building-9").mkdir(parents=True)
    (tmp_path / ".building-9" / "file").touch()
    with generations.lock(tmp_path):
        assert not (tmp_path / ".building-9").exists()


def test_a_disk_that_fails_is_said(tmp_path: Path) -> None:
    def fill(folder: Path, _: Generation | None) -> About:
        raise OSError(28, "No space left on device")

    with pytest.raises(KnowledgeError, match="No space left") as caught, generations.lock(tmp_path):
        generations.replace(tmp_path, fill)
    assert caught.value.code == "index_unwritable"
    (tmp_path / "file").touch()
    with pytest.raises(KnowledgeError), generations.lock(tmp_path / "file" / "index"):
        pass
