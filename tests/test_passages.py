"""Reading a knowledge base: what is read, what is reported, and in which encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketqa.errors import KnowledgeError
from pocketqa.passages import Fault, Passage, read, read_file

HEADER = "问题,答案,相似问法,分类,来源\n"
ROW = (
    "护照丢了怎么办？,向出入境管理机构申请补发。,护照掉了咋整|护照遗失补办,"
    "出入境,《护照法》第十一条\n"
)


def read_one(tmp_path: Path, text: str, name: str = "a.csv", encoding: str = "utf-8-sig"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return read([path])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_reads_csv_in_the_encodings_of_offices(tmp_path: Path, encoding: str) -> None:
    passages, faults = read_one(tmp_path, HEADER + ROW, encoding=encoding)
    assert not faults
    assert passages == [
        Passage(
            id=passages[0].id,
            title="护照丢了怎么办？",
            text="向出入境管理机构申请补发。",
            similar=("护照掉了咋整", "护照遗失补办"),
            category="出入境",
            source="《护照法》第十一条",
            kind="curated",
            place="a.csv:2",
        )
    ]


def test_reads_english_headers_in_any_order_and_other_delimiters(tmp_path: Path) -> None:
    text = 'Answer;note;Question\r\n"Yes; it is.";x;Is it free?\r\n'
    passages, faults = read_one(tmp_path, text, encoding="utf-8")
    assert not faults
    assert (passages[0].title, passages[0].text) == ("Is it free?", "Yes; it is.")


def test_excels_empty_rows_and_columns_are_no_fault(tmp_path: Path) -> None:
    text = HEADER.strip() + ",,,\n" + ROW.strip() + ",,,\n" + ",,,,,,,\n\n"
    passages, faults = read_one(tmp_path, text)
    assert (len(passages), faults) == (1, [])


def test_the_place_counts_lines_and_not_rows(tmp_path: Path) -> None:
    text = HEADER + '甲？,"一\n二"\n' + "乙？,三\n"
    passages, _ = read_one(tmp_path, text)
    assert [p.place for p in passages] == ["a.csv:2", "a.csv:4"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",答案", "question is empty"),
        ("？,答案", "question is empty"),
        ("问题乙？, ", "answer is empty"),
        ("问题乙？,答,案,没,有,引号", "6 columns"),
        ("护照丢了，怎么办,再答一次", "repeats a.csv:2"),
    ],
)
def test_a_bad_row_is_reported_and_the_rest_is_read(tmp_path: Path, row: str, reason: str) -> None:
    passages, faults = read_one(tmp_path, HEADER + ROW + row + "\n问题丙？,答案丙\n")
    assert [p.title for p in passages] == ["护照丢了怎么办？", "问题丙？"]
    assert [(f.file, f.line) for f in faults] == [("a.csv", 3)]
    assert reason in faults[0].reason_en and faults[0].reason_zh


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "标题,内容\n甲,乙\n".encode(), "no question"),
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xff\x00\xfe\x81", "cannot be read"),
        ("a.md", b"# title\n", "no text"),
        ("a.xyz", b"text", "unknown kind"),
    ],
)
def test_a_bad_file_is_reported(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    passages, faults = read([tmp_path / name])
    assert passages == []
    assert [f.file for f in faults] == [name] and reason in faults[0].reason_en


def test_small_talk_is_told_by_its_category(tmp_path: Path) -> None:
    passages, _ = read_one(tmp_path, HEADER + "你好,您好,,闲聊,\n")
    assert passages[0].kind == "smalltalk"


PROCEDURE = """# 护照补发流程

分类：出入境
来源：《护照法》第十一条

## 办理步骤
1. 提出申请。

### 说明
本人到场。

## 办理时限
自收到申请之日起15日内。
"""


def test_markdown_gives_a_passage_for_each_section(tmp_path: Path) -> None:
    passages, faults = read_one(tmp_path, PROCEDURE, "p.md")
    assert not faults
    assert [(p.title, p.place) for p in passages] == [
        ("护照补发流程 › 办理步骤", "p.md:6"),
        ("护照补发流程 › 办理步骤 › 说明", "p.md:9"),
        ("护照补发流程 › 办理时限", "p.md:12"),
    ]
    assert [p.text for p in passages[:2]] == ["1. 提出申请。", "本人到场。"]
    assert {(p.category, p.source, p.kind) for p in passages} == {
        ("出入境", "《护照法》第十一条", "document")
    }


def test_a_folder_is_read_whole_without_readme_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b.csv", "sub/a.csv", ".git/c.csv", "~$b.csv", "README.md", "photo.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + f"{name}？,答\n", encoding="utf-8")
    passages, faults = read([tmp_path, tmp_path / "b.csv"])
    assert [p.place for p in passages] == ["b.csv:2", "sub/a.csv:2"] and not faults


def test_ids_are_unique_and_stay(tmp_path: Path) -> None:
    text = "。".join(f"第{i}句话说的是另外一件事情" for i in range(100))
    first, _ = read_one(tmp_path, text, "long.txt")
    assert len(first) > 2 and len({p.id for p in first}) == len(first)
    curated, _ = read_one(tmp_path, HEADER + ROW)
    moved, _ = read_one(tmp_path, HEADER + "别的？,答\n" + ROW.replace("申请补发", "补发"), "b.csv")
    assert curated[0].id == moved[1].id


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError):
        read([tmp_path / "none"])


def test_progress_goes_on_within_a_file_and_ends_at_the_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "".join(f"问{n}？,答\n" for n in range(2000)))
    (tmp_path / "b.txt").write_text("文字")
    seen: list[tuple[int, int, str]] = []
    read([tmp_path], lambda done, total, name: seen.append((done, total, name)))
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[0] == (0, total, "a.csv") and seen[-1] == (total, total, "b.txt")
    assert len(seen) > 6


def test_a_file_is_read_from_its_bytes() -> None:
    rows = HEADER + "甲？,乙\n，甲,丙\n,丁\n"
    passage, repeated, empty = read_file("上传.csv", rows.encode("gb18030"))
    assert isinstance(passage, Passage) and passage.id.startswith("curated-")
    assert isinstance(repeated, Fault) and repeated.place == "上传.csv:3"
    assert str(empty) == "上传.csv:4: 问题是空的 / the question is empty"
