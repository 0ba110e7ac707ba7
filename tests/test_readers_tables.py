"""Tables of questions: CSV, TSV, Excel and JSONL; what is read, what is reported, and where."""

from __future__ import annotations

import datetime
import io
import json
import random
import resource
import time

import openpyxl
import pytest
from openpyxl.styles import PatternFill
from papers import workbook, zipped

from pocketqa.passages import Fault, Passage, read_file
from pocketqa.readers import sheets, tables

HEADER = "问题,答案,相似问法,分类,来源\n"


def load(name: str, data: bytes | str) -> tuple[list[Passage], list[Fault]]:
    found = list(read_file(name, data.encode() if isinstance(data, str) else data))
    return (
        [item for item in found if isinstance(item, Passage)],
        [item for item in found if isinstance(item, Fault)],
    )


FAULTS = {
    "empty question": lambda n: (f",答案{n},,分类,来源", "question is empty"),
    "no letters": lambda n: (f"？？,答案{n},,分类,来源", "question is empty"),
    "empty answer": lambda n: (f"第{n}个问题？,,,分类,来源", "answer is empty"),
    "too short": lambda n: (f"第{n}个问题？", "answer is empty"),
    "unquoted comma": lambda n: (f"第{n}个问题？,答,案,没,有,引号", "6 columns"),
    "repeated": lambda n: ("第0个问题,又一次,,分类,来源", "repeats faq.csv:2"),
    "unclosed quote": lambda n: (f'第{n}个问题？,"答案{n},,分类,来源', "quote is not closed"),
    "unclosed at the end": lambda n: (f'第{n}个问题？,答案{n},,分类,"来源', "quote is not closed"),
    "null": lambda n: (f"第{n}个问题？,\0\0,,分类,来源", "answer is empty"),
    "long question": lambda n: (f"{'问' * 1001}？,答案{n},,分类,来源", "too long"),
    "long answer": lambda n: (f"第{n}个问题？,{'答' * 33000},,分类,来源", "too long"),
}


def test_forty_planted_faults_in_a_gb18030_csv_are_all_that_is_reported() -> None:
    random.seed(6)
    planted = dict(
        zip(
            random.sample(range(1, 3000), 40),
            [*FAULTS, *FAULTS, *FAULTS, *FAULTS][:40],
            strict=True,
        )
    )
    lines, expected, titles = [HEADER], [], []
    line = 2
    for n in range(3000):
        if n in planted:
            row, reason = FAULTS[planted[n]](n)
            expected.append((line, reason))
        else:
            row = f'第{n}个问题？,"第一行,{n}\n第二行 ""引号""",相似{n}|另一种{n},分类,来源'
            row = row if n % 7 == 0 else f"第{n}个问题？,答案{n},,分类,来源"
            titles.append(f"第{n}个问题？")
        lines.append(row + "\r\n")
        line += lines[-1].count("\n")
    begin = time.monotonic()
    passages, faults = load("faq.csv", "".join(lines).encode("gb18030"))
    assert time.monotonic() - begin < 5
    assert [p.title for p in passages] == titles and len(titles) == 2960
    assert len(faults) == 40
    for fault, (place, reason) in zip(faults, expected, strict=True):
        assert fault.line == place and reason in fault.reason_en and fault.reason_zh


def phantom(book: openpyxl.Workbook) -> None:
    """What years of clicking leave: styled and blank cells as far as a sheet goes."""
    sheet = book.active
    for column in range(6, 16_001):
        sheet.cell(1, column).fill = PatternFill("solid", fgColor="FFFF00")
        sheet.cell(2, column).value = " "
    sheet.cell(1_048_576, 1).fill = PatternFill("solid", fgColor="FFFF00")
    sheet.cell(500_000, 16_384).value = "\u3000"


def test_an_xlsx_with_16000_phantom_columns_is_read_in_seconds() -> None:
    rows: list[list[object]] = [HEADER.strip().split(",")]
    rows += [[f"第{n}个问题？", f"答案{n}", f"相似{n}", "分类", "来源"] for n in range(3000)]
    rows[100][1] = rows[200][0] = None
    data = workbook(rows, change=phantom)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    passages, faults = load("faq.xlsx", data)
    assert time.monotonic() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    assert len(passages) == 2998 and passages[-1].place == "faq.xlsx:Sheet1!3001"
    assert [(f.place, f.line, f.reason_en) for f in faults] == [
        ("faq.xlsx:Sheet1!101", 101, "the answer is empty"),
        ("faq.xlsx:Sheet1!201", 201, "the question is empty"),
    ]


def test_what_is_not_needed_is_cut_out_of_a_sheet_and_nothing_else() -> None:
    data = workbook([["问题", "答案"], ["甲", "<&>"], ["", "乙"]], change=phantom)
    copy = openpyxl.load_workbook(io.BytesIO(sheets.slim(data))).active
    assert [cell.value for cell in copy[2][:2]] == ["甲", "<&>"]
    assert (copy.cell(2, 300).value, copy.cell(3, 2).value) == (None, "乙")
    small = workbook([["问题", "答案"]])
    assert sheets.slim(small) is small


def test_a_sheet_that_is_really_too_large_is_a_fault() -> None:
    def far(book: openpyxl.Workbook) -> None:
        book.active.cell(1_048_576, 256).value = "x"

    passages, faults = load("a.xlsx", workbook([["问题", "答案"], ["甲", "乙"]], change=far))
    assert not passages and "1,048,576 × 256" in faults[0].reason_en


def test_cells_are_read_as_people_see_them() -> None:
    values = [12.0, 0.1 + 0.2, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 8, 30)]
    values += [datetime.time(8, 30), datetime.timedelta(hours=30), True, 13800138000.0, "00123"]
    rows = [["问题", "答案"], *([f"问{n}", value] for n, value in enumerate(values))]
    passages, _ = load("a.xlsx", workbook(rows))
    assert [p.text for p in passages] == [
        "12", "0.3", "2024-01-05", "2024-01-05 08:30", "08:30", "30:00", "TRUE", "13800138000",
        "00123",
    ]  # fmt: skip


def test_merged_cells_reach_down_and_titles_above_the_header_are_passed_over() -> None:
    def merge(book: openpyxl.Workbook) -> None:
        for cells in ("A1:D1", "A4:A6", "C4:C5", "B7:B9", "C7:C9"):
            book.active.merge_cells(cells)

    rows = [
        ["常见问题库"], [], ["类别", "标准问题（必填）", "回答", "相似问法1", "相似问法 2"],
        ["停车", "在哪停？", "在门口。"], [None, "停哪？"],
        [None, "多少钱？", "两元。\n一小时。", "收费"],
        ["就餐", "几点开饭？", "七点。", "何时开饭", "啥时开饭"], ["就餐", None, None, "开饭时间"],
        ["就餐", None, None, "饭点"],
    ]  # fmt: skip
    passages, faults = load("a.xlsx", workbook(rows, change=merge))
    assert not faults
    assert [(p.title, p.text, p.category, p.similar, p.place) for p in passages] == [
        ("在哪停？", "在门口。", "停车", (), "a.xlsx:Sheet1!4"),
        ("停哪？", "在门口。", "停车", (), "a.xlsx:Sheet1!5"),
        ("多少钱？", "两元。\n一小时。", "停车", ("收费",), "a.xlsx:Sheet1!6"),
        ("几点开饭？", "七点。", "就餐", ("何时开饭", "开饭时间", "饭点", "啥时开饭"),
         "a.xlsx:Sheet1!7"),
    ]  # fmt: skip


def test_sheets_without_a_header_are_faults_and_empty_or_hidden_ones_are_not() -> None:
    def hide(book: openpyxl.Workbook) -> None:
        book["Sheet4"].sheet_state = "hidden"
        book["Sheet1"]["D4"] = "旁边的备注"

    first = [[], ["序号", "问题", "答案"], [1, "甲", "乙"], [2]]
    data = workbook(
        first, [["说明"], ["请填写"]], [], [["男"], ["女"]], [["q", "a"], ["丙", "丁"]], change=hide
    )
    passages, faults = load("a.xlsx", data)
    assert [p.place for p in passages] == ["a.xlsx:Sheet1!3", "a.xlsx:Sheet5!2"]
    assert [(f.place, f.reason_en) for f in faults] == [
        ("a.xlsx:Sheet2!1", "no question or answer column")
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("问,答,类别,出处", ["question", "answer", "category", "source"]),
        (
            "标准问题（必填）*,标准答案,相似问1,相似问 2",
            ["question", "answer", "similar", "similar"],
        ),
        ("Question,ANSWER,Similar_Questions", ["question", "answer", "similar"]),
        ("Ｑ,Ａ,备注,答案2", ["question", "answer", "", ""]),
        ("标题,内容,title,text", ["", "", "", ""]),
    ],
)
def test_names_of_columns(header: str, found: list[str]) -> None:
    assert tables.columns(header.split(",")) == found


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_encodings(codec: str, name: str) -> None:
    text = (HEADER + "身份证丢了上哪儿补？,去派出所,掉了咋整,户口,第3条\n" * 1).replace(
        ",", "\t" if name == "a.tsv" else ","
    )
    passages, faults = load(name, text.encode(codec))
    assert (
        not faults and passages[0].title == "身份证丢了上哪儿补？" and passages[0].source == "第3条"
    )


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_null_and_control_characters_are_cleaned(codec: str) -> None:
    passages, faults = load("a.csv", (HEADER + "甲\0？,乙\x07\x1b丙\u200b\n" * 1).encode(codec))
    assert not faults and (passages[0].title, passages[0].text) == ("甲？", "乙丙")
    assert load("a.csv", b"q,a\nwhy\0,because\n")[0][0].title == "why"


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_a_broken_byte_costs_its_row_and_not_the_file(codec: str) -> None:
    rows = [f"第{n}个问题？,答案{n}\n".encode(codec) for n in range(20)]
    rows[7] = rows[7][:2] + b"\xff" + rows[7][2:]
    passages, faults = load("a.csv", "问题,答案\n".encode(codec) + b"".join(rows))
    assert [p.title for p in passages] == [f"第{n}个问题？" for n in range(20) if n != 7]
    assert [(f.line, f.reason_en[:24]) for f in faults] == [(9, "characters that cannot b")]
    passages, faults = load("a.txt", b"".join(rows))
    assert "第6个问题" in passages[0].text and [f.line for f in faults] == [8]


def test_rows_swallowed_by_a_quote_that_ends_at_a_later_one_are_read() -> None:
    rows = [f"问{n},答{n},类" for n in range(5)]
    text = "问题,答案,分类\n" + '开头,"没有结束,类\n' + "\n".join(rows) + '\n末尾,"引号,类\n'
    passages, faults = load("a.csv", text)
    assert [p.title for p in passages] == [f"问{n}" for n in range(5)]
    assert [f.line for f in faults] == [2, 8]
    # The later quote may even be one that can close.
    passages, faults = load("a.csv", text.replace('末尾,"引号,类', '末尾",引号,类'))
    assert [p.title for p in passages][:5] == [f"问{n}" for n in range(5)] and faults[0].line == 2


def test_a_stray_quote_in_a_cell_is_text() -> None:
    passages, faults = load("a.csv", '问题,答案\n"甲"乙？,丙\n丁"戊"？,"己"\n')
    assert [p.title for p in passages] == ["甲乙？", '丁"戊"？'] and not faults


def test_a_repeated_header_and_a_title_are_no_faults() -> None:
    passages, faults = load("a.csv", "常见问题库,,\n,,\n答案,问题\n甲,乙？\n答案,问题\n丙,丁？\n")
    assert [(p.title, p.place) for p in passages] == [("乙？", "a.csv:4"), ("丁？", "a.csv:6")]
    assert not faults


def test_jsonl() -> None:
    lines = [
        {
            "question": "甲？",
            "answer": "乙",
            "similar": ["丙|丁", "戊\n"],
            "分类": "类",
            "kind": {},
        },
        {"问题": "戊？", "答案": 12, "similar": "己|庚", "category": None},
        {"_id": "1", "title": "如何办理停车证", "text": "到门口。", "metadata": {"x": []}},
        {
            "_id": "2",
            "title": "停车办法 第一条",
            "text": "免费。\u0000\ud800",
            "source": "《办法》",
        },
        {"_id": "3", "title": "", "text": "没有标题的一段话"},
        {"kind": "document", "title": "如何停车 › 收费", "text": "两元。"},
    ]
    passages, faults = load("a.jsonl", "\n\n".join(json.dumps(line) for line in lines))
    assert not faults
    assert [(p.kind, p.title, p.text, p.similar, p.place) for p in passages] == [
        ("curated", "甲？", "乙", ("丙|丁", "戊"), "a.jsonl:1"),
        ("curated", "戊？", "12", ("己", "庚"), "a.jsonl:3"),
        ("curated", "如何办理停车证", "到门口。", (), "a.jsonl:5"),
        ("document", "停车办法 第一条", "免费。", (), "a.jsonl:7"),
        ("document", "没有标题的一段话", "没有标题的一段话", (), "a.jsonl:9"),
        ("document", "如何停车 › 收费", "两元。", (), "a.jsonl:11"),
    ]
    assert passages[0].category == "类" and passages[3].source == "《办法》"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question": "甲"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"question": %s, "answer": "x"}' % ("9" * 5000), "not JSON"),
        ("[1]", "must be an object"),
        ('{"question": "甲"}', "no question and answer"),
        ('{"question": {"x": 1}, "answer": "乙"}', "must be a string"),
        ('{"question": "", "answer": "乙"}', "question is empty"),
        ('{"question": "甲", "answer": null}', "no question"),
        ('{"title": "甲", "text": " "}', "no text"),
    ],
)
def test_a_bad_line_of_jsonl_is_reported(line: str, reason: str) -> None:
    passages, faults = load("a.jsonl", line + '\n{"q": "好？", "a": "好"}\n')
    assert [p.title for p in passages] == ["好？"]
    assert [f.line for f in faults] == [1] and reason in faults[0].reason_en


def test_an_xls_suffix_does_not_make_a_page_a_workbook() -> None:
    _, faults = load("a.xls", "<html><table><tr><td>问题")
    assert "not an Excel file" in faults[0].reason_en
    _, faults = load("a.csv", zipped({"a": "b"}))
    assert "not text" in faults[0].reason_en
