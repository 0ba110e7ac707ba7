"""The index of record: what goes in comes out, changes are exact, clones share their files."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from pocketqa import store
from pocketqa.analysis import terms
from pocketqa.passages import Passage, read
from pocketqa.segments import FIELDS, Index, load

KNOWLEDGE = Path(__file__).parent.parent / "knowledge"


@pytest.fixture(scope="module")
def demo() -> list[Passage]:
    """Some of the demo knowledge, of every kind."""
    return read([KNOWLEDGE])[0][::8]


def written(folder: Path, passages: list[Passage]) -> Path:
    folder.mkdir()
    store.write(passages, folder)
    return folder


def counted(index: Index, field: str) -> dict[tuple[str, str], int]:
    """{(passage's id, term): count} of all that is not deleted, from the postings."""
    found = {}
    for segment in index.segments:
        for term, docs, counts in segment.postings(field):
            for doc, count in zip(docs.tolist(), counts.tolist(), strict=True):
                if doc not in segment.deleted:
                    found[segment.passage(doc).id, term] = int(count)
    return found


def expected(passages: list[Passage], field: str) -> dict[tuple[str, str], int]:
    text = {"title": lambda p: p.title, "similar": lambda p: "\n".join(p.similar)}.get(
        field, lambda p: p.text
    )
    return {
        (passage.id, term): count
        for passage in passages
        if passage.kind != "smalltalk"
        for term, count in Counter(terms(text(passage))).items()
    }


def check(folder: Path, passages: list[Passage]) -> None:
    """The index holds exactly `passages`, stored and as postings."""
    index = Index(folder)
    assert index.passages() == passages and index.count == len(passages)
    for field in FIELDS:
        assert counted(index, field) == expected(passages, field)
    index.close()


def test_what_is_written_is_read(tmp_path: Path, demo: list[Passage]) -> None:
    seen: list[int] = []
    tmp_path = tmp_path / "index"
    tmp_path.mkdir()
    change = store.write(demo, tmp_path, seen.append)
    assert (change.added, change.replaced, change.removed) == (len(demo), 0, 0)
    assert sum(seen) == len(demo)
    check(tmp_path, demo)


def test_postings_of_many_documents_and_great_counts(tmp_path: Path) -> None:
    many = [Passage(str(n), "证", "证" * (n % 7) + " a" * (300 * (n % 2))) for n in range(1000)]
    check(written(tmp_path / "index", many), many)


def test_postings_are_in_order(tmp_path: Path, demo: list[Passage]) -> None:
    index = Index(written(tmp_path / "index", demo))
    (segment,) = index.segments
    for field in FIELDS:
        postings = segment.postings(field)
        assert sorted(postings.terms, key=str.encode) == postings.terms
        assert len(postings.starts) == len(postings.terms) + 1
        for _, docs, counts in postings:
            assert len(docs) == len(counts) > 0 and (docs[1:] > docs[:-1]).all()
    index.close()


def test_an_empty_index(tmp_path: Path) -> None:
    check(written(tmp_path / "index", []), [])
    store.change(tmp_path / "index", [Passage("1", "甲", "乙")])
    check(tmp_path / "index", [Passage("1", "甲", "乙")])
    store.change(tmp_path / "index", [], ["1"])
    check(tmp_path / "index", [])


def test_put_replaces_in_its_place_and_new_ones_come_last(tmp_path: Path) -> None:
    first = [Passage(str(n), f"问题{n}", f"答案{n}") for n in range(5)]
    folder = written(tmp_path / "index", first)
    new, changed = Passage("9", "新问题", "新答案"), Passage("1", "改问题", "改答案")
    change = store.change(folder, [new, changed], ["3", "3", "nowhere"])
    assert (change.added, change.replaced, change.removed) == (1, 1, 1)
    check(folder, [first[0], changed, first[2], first[4], new])
    # One that is both removed and put stays; of two with one id the last is put.
    change = store.change(folder, [first[1], changed, first[1]], ["1"])
    assert (change.added, change.replaced, change.removed) == (0, 1, 0)
    check(folder, [first[0], first[1], first[2], first[4], new])


@pytest.mark.parametrize("seed", range(3))
def test_many_changes_end_as_one_write(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder = written(tmp_path / "index", [])
    held: dict[str, Passage] = {}
    digest = 0
    for turn in range(30):
        put = {
            str(n): Passage(str(n), f"问题{n}号", f"第{turn}次答案", (f"问{turn}",))
            for n in chance.sample(range(40), chance.randrange(12))
        }
        gone = [str(n) for n in chance.sample(range(40), chance.randrange(6))]
        digest += store.change(folder, put.values(), gone).digest
        for identifier in gone:
            held.pop(identifier, None)
        for identifier, passage in put.items():
            held[identifier] = passage
        index = Index(folder)
        assert {p.id: p for p in index.passages()} == held
        index.close()
    check(folder, load(folder))
    other = tmp_path / "other"
    other.mkdir()
    assert store.write(held.values(), other).digest == digest % (1 << 64)


def test_a_clone_shares_segments_and_changes_alone(tmp_path: Path, demo: list[Passage]) -> None:
    source, target = written(tmp_path / "source", demo), tmp_path / "target"
    (segment,) = Index(source).segments
    derived = source / f"{segment.id}.matrix"
    derived.mkdir()
    (derived / "data").write_bytes(b"1")
    (source / "meta.json").touch()
    target.mkdir()
    store.clone(source, target)
    assert not (target / "meta.json").exists()
    for file in (f"{segment.id}.seg", f"{segment.id}.matrix/data"):
        assert (target / file).samefile(source / file)
    before = {file: file.stat().st_mtime_ns for file in source.rglob("*") if file.is_file()}
    for n in range(12):
        store.change(target, [Passage(f"new{n}", "新", "文")], [demo[n].id])
    check(source, demo)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_what_is_derived_goes_with_its_segment(tmp_path: Path) -> None:
    folder = written(tmp_path / "index", [])
    for n in range(20):
        store.change(folder, [Passage(str(n), "甲", "乙")])
        index = Index(folder)
        now = {segment.id for segment in index.segments}
        index.close()
        assert {path.name.split(".")[0] for path in folder.glob("MAIN_*.matrix")} <= now
        for name in now:
            (folder / f"{name}.matrix").mkdir(exist_ok=True)
            (folder / f"{name}.npz").touch()
    assert len(now) < 12, "small segments are merged"
    assert {path.name.split(".")[0] for path in folder.glob("MAIN_*.*")} == now


def test_segments_stay_few_and_deleted_ones_go(tmp_path: Path) -> None:
    many = [Passage(str(n), f"问题{n}", f"答案{n}") for n in range(300)]
    folder = written(tmp_path / "index", many)

    def sizes() -> list[int]:
        index = Index(folder)
        found = sorted(segment.size for segment in index.segments)
        index.close()
        return found

    for n in range(70):
        store.change(folder, [Passage(f"new{n}", f"新问题{n}", "答案")])
        assert len(sizes()) <= 5
    (kept,) = (path for path in folder.glob("*.seg") if path.stat().st_size > 50_000)
    store.change(folder, [], [str(n) for n in range(100)])
    assert kept.exists() and 300 in sizes()
    store.change(folder, [], [str(n) for n in range(100, 200)])
    assert sum(sizes()) == 170 and not kept.exists()
    for _ in range(3):
        store.change(folder, many)
        assert sum(sizes()) <= 370 + 70
    store.change(folder, [], [str(n) for n in range(300)])
    assert len(load(folder)) == 70 and sum(sizes()) <= 140
    check(folder, load(folder))


@pytest.mark.parametrize("identifier", ["\ud800", "有 空格 和\n换行", "x" * 5000])
def test_any_id_can_be_found_again(tmp_path: Path, identifier: str) -> None:
    folder = written(tmp_path / "index", [Passage(identifier, "甲\ud800", "乙\x00")])
    assert store.change(folder, [], [identifier]).removed == 1


def test_a_failed_change_changes_nothing(tmp_path: Path) -> None:
    old = [Passage("1", "甲", "乙")]
    folder = written(tmp_path / "index", old)
    with pytest.raises(TypeError):
        store.change(folder, [Passage("1", "丙", "丁"), Passage("2", None, "x")], [])  # type: ignore[arg-type]
    check(folder, old)
