"""Documents: Markdown, HTML, DOCX and PDF; titles, places, tables, and what is left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from papers import pdf

from pocketqa.passages import Fault, Passage, read_file
from pocketqa.readers import numbering, paragraphs

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def load(name: str, data: bytes | str) -> list[Passage]:
    found = list(read_file(name, data.encode() if isinstance(data, str) else data))
    assert not [item for item in found if isinstance(item, Fault)]
    return [item for item in found if isinstance(item, Passage)]


def faults(name: str, data: bytes | str) -> list[Fault]:
    found = read_file(name, data.encode() if isinstance(data, str) else data)
    return [item for item in found if isinstance(item, Fault)]


def word(write: Callable[[Any], None]) -> bytes:
    document = docx.Document()
    write(document)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def outline(passages: list[Passage]) -> list[tuple[str, str, str]]:
    return [(p.title, p.text, p.place) for p in passages]


MARKDOWN = """# 停车须知

分类：停车

前言。

## 收费
#### 小车
两元。
| 车型 | 价格 | 备注 |
|:-----|-----:|------|
| 小车 | 2 | |
| 大车 | 5 \\| 6 | 夜间<br>加价 |

```
# 不是标题
| 不 | 是 |
|---|---|
```
## 问答

| 问题 | 答案 |
|---|---|
| 能过夜吗？ | 能。 |
| 坏的？ | |
"""


def test_markdown_with_all_levels_and_tables() -> None:
    found = list(read_file("x.md", MARKDOWN.encode()))
    documents = [p for p in found if isinstance(p, Passage) and p.kind == "document"]
    assert outline(documents) == [
        ("停车须知", "前言。", "x.md:5"),
        (
            "停车须知 › 收费 › 小车",
            "两元。\n车型:小车;价格:2\n车型:大车;价格:5 | 6;备注:夜间 加价\n"
            "```\n# 不是标题\n| 不 | 是 |\n|---|---|\n```",
            "x.md:8",
        ),
    ]
    curated = [p for p in found if isinstance(p, Passage) and p.kind == "curated"]
    assert [(p.title, p.text, p.place, p.category) for p in curated] == [
        ("能过夜吗？", "能。", "x.md:24", "停车")
    ]
    assert [str(f)[:8] for f in found if isinstance(f, Fault)] == ["x.md:25:"]


def test_a_second_heading_of_the_first_level_makes_the_name_the_title() -> None:
    assert [p.title for p in load("名.md", "# 甲\n一。\n# 乙\n## 丙\n二。")] == [
        "名 › 甲",
        "名 › 乙 › 丙",
    ]
    assert [p.title for p in load("名.md", "# 题\n\n# 乙\n二。\n# 丙\n三。")] == [
        "题 › 乙",
        "题 › 丙",
    ]


def test_each_piece_of_a_long_section_has_its_own_line() -> None:
    text = "## 长\n" + "\n".join(f"这是第{n}行，它有一些内容，也有一个结尾。" for n in range(60))
    found = load("x.md", text)
    assert len(found) > 2 and found[0].place == "x.md:1"
    for passage in found[1:]:
        line = int(passage.place.rpartition(":")[2])
        assert passage.text.startswith(text.split("\n")[line - 1])


PAGE = """<html><head><title>网页</title><style>p{}</style></head><body>
<nav>首页 | 关于</nav><div hidden>看不见</div><p style="display: none">也看不见</p>
<h1>停车<b>须知</b></h1><p>来源：《办法》</p><p>第一段,
换行。<br>第二行。</p>散落的文字
<h3><div>价格</div></h3><ul><li>小车两元</li><li>大车<br>五元</li></ul>
<table><caption>价目</caption><tr><th>车型</th><th>价格</th></tr>
<tr><td rowspan=2>小车</td><td>2</td></tr><tr><td>3</td></tr></table>
<table><tr><td><h3>布局</h3><table><tr><td>问</td><td>答</td></tr>
<tr><td>能停吗？</td><td>能<p>停</p></td></tr>
</table></td></tr></table><script>var x = "不读";</script><footer>版权</footer></body></html>"""


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_html(codec: str) -> None:
    found = load("x.html", ('<meta charset="gb2312">' + PAGE).encode(codec))
    assert outline(found) == [
        ("能停吗？", "能\n停", "x.html:table2!2"),
        ("停车须知", "第一段, 换行。\n第二行。\n散落的文字", "x.html:¶3"),
        (
            "停车须知 › 价格",
            "小车两元\n大车\n五元\n价目\n车型:小车;价格:2\n车型:小车;价格:3",
            "x.html:¶5",
        ),
    ]
    assert {p.source for p in found} == {"《办法》"}


def test_html_that_is_hardly_any() -> None:
    assert load("x.html", "只有文字")[0].text == "只有文字"
    assert "no text" in faults("x.html", "  ")[0].reason_en
    assert (
        "nested too deep" in faults("x.html", "<p>在</p>" + "<div>" * 100_000 + "深")[0].reason_en
    )
    table = "<table><tr><td rowspan=99999999 colspan=99999999>甲<td>乙" + "<tr><td>丙" * 3
    assert "甲" in load("x.html", table)[0].text


def test_docx_headings_tables_and_what_word_hides() -> None:
    def write(document: Any) -> None:
        document.add_paragraph("停车须知", style="Title")
        document.add_paragraph("分类：停车")
        document.add_heading("收费", 1)
        paragraph = document.add_paragraph("小车两元。")
        paragraph._p.append(parse_xml(f"<w:ins {W}><w:r><w:t>大车五元。</w:t></w:r></w:ins>"))
        paragraph._p.append(parse_xml(f"<w:del {W}><w:r><w:delText>旧价</w:delText></w:r></w:del>"))
        document.add_heading("细则", 2)
        table = document.add_table(3, 3)
        for cell, text in zip(
            table._cells, "车型 价格 备注 小车 2 无 大车 5 无".split(), strict=True
        ):
            cell.text = text
        table.cell(1, 2).merge(table.cell(2, 2)).text = "同"
        inner = "<w:p><w:r><w:t>控件里。</w:t></w:r></w:p>"
        control = f"<w:sdt {W}><w:sdtContent>{inner}</w:sdtContent></w:sdt>"
        document.element.body.insert(-1, parse_xml(control))
        faq = document.add_table(3, 2)
        for cell, text in zip(
            faq._cells, ["问题", "答案", "能停吗？", "能。", "几点？", ""], strict=True
        ):
            cell.text = text

    found = list(read_file("guide.docx", word(write)))
    documents = [p for p in found if isinstance(p, Passage) and p.kind == "document"]
    assert outline(documents) == [
        ("停车须知 › 收费", "小车两元。大车五元。", "guide.docx:¶3"),
        (
            "停车须知 › 收费 › 细则",
            "车型:小车;价格:2;备注:同\n车型:大车;价格:5;备注:同\n控件里。",
            "guide.docx:¶5",
        ),
    ]
    assert [
        (p.title, p.place, p.category) for p in found if getattr(p, "kind", "") == "curated"
    ] == [("能停吗？", "guide.docx:table2!2", "停车")]
    assert [f.place for f in found if isinstance(f, Fault)] == ["guide.docx:table2!3"]


def test_docx_headings_of_own_styles_and_by_number() -> None:
    def styled(document: Any) -> None:
        style = document.styles.add_style("我的标题", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("自定", style="我的标题")
        document.add_paragraph("内容。")

    def numbered(document: Any) -> None:
        for text in ("第一章 总则", "第一条　为了方便。", "第三条规定的不算。", "第二条 适用。"):
            document.add_paragraph(text)

    assert [p.title for p in load("a.docx", word(styled))] == ["a › 自定"]
    assert [(p.title, p.text) for p in load("a.docx", word(numbered))] == [
        ("a › 第一章 总则 › 第一条", "为了方便。\n第三条规定的不算。"),
        ("a › 第一章 总则 › 第二条", "适用。"),
    ]


def test_pdf_paragraphs_without_headers_and_page_numbers() -> None:
    body = [
        ["一、办理条件", "申请人应当年满十八周岁，在本市有固定住所，并且能够提供居民身份证以",
         "及户口簿。"],
        ["People who want to park here need a permit which is given by the per-", "mit office on",
         "the first floor."],
        ["二、办理时限", "十五日。"],
    ]  # fmt: skip
    pages = [["停车办法 2024版", *page, f"第 {n} 页 共 3 页"] for n, page in enumerate(body, 1)]
    assert outline(load("a.pdf", pdf(pages))) == [
        ("a › 一、办理条件",
         "申请人应当年满十八周岁，在本市有固定住所，并且能够提供居民身份证以及户口簿。",
         "a.pdf:p1"),
        ("a › 一、办理条件",
         "People who want to park here need a permit which is given by the permit office on "
         "the first floor.", "a.pdf:p2"),
        ("a › 二、办理时限", "十五日。", "a.pdf:p3"),
    ]  # fmt: skip


def test_a_scanned_pdf_says_so() -> None:
    scan = pdf([[], []]).replace(b"/F 12 Tf", b"")
    assert "没有正文" in faults("a.pdf", scan)[0].reason_zh


@pytest.mark.parametrize(
    ("one", "two", "joined"),
    [
        ("中文", "接着", "中文接着"),
        ("English", "goes on", "English goes on"),
        ("a para-", "graph", "a paragraph"),
        ("Post-", "Office", "Post- Office"),
        ("para\u00ad", "graph", "paragraph"),
        ("编号", "PPR-9087", "编号PPR-9087"),
    ],
)
def test_lines_are_joined(one: str, two: str, joined: str) -> None:
    assert paragraphs.before(one, two) + two == joined


@pytest.mark.parametrize(
    ("line", "chapter", "point"),
    [
        ("第一章 总则", True, False),
        ("第十二节", True, False),
        ("第一章 总则 ........ 3", False, False),
        ("第二章规定的办法", False, False),
        ("一、办理条件", False, True),
        ("一、申请人应当提交材料，并签字。", False, False),
        ("一些办理条件", False, False),
    ],
)
def test_numbered_headings(line: str, chapter: bool, point: bool) -> None:
    assert (numbering.is_chapter(line), numbering.is_point(line)) == (chapter, point)


@pytest.mark.parametrize(
    ("text", "value"),
    [("三", 3), ("十", 10), ("二十一", 21), ("一百零三", 103), ("一千二百", 1200), ("12", 12)],
)
def test_chinese_numbers(text: str, value: int) -> None:
    assert numbering.number(text) == value
