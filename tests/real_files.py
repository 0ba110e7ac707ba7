"""Files as people upload them, one of each kind and more, and what must be found in each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from olefiles import xls
from papers import pdf, slides, word, workbook
from pptx.util import Inches


@dataclass(frozen=True)
class Real:
    """A file, a question to it, what its best passage must hold, and on which page."""

    filename: str
    data: bytes
    question: str
    answer: str
    page: int | None = None
    pages: int | None = None


TEXT = """会议室管理办法

会议室由办公室统一管理，各部门使用前应当提前一个工作日预约。

使用人退场时应当关闭空调和投影仪，并把桌椅放回原处。

损坏设备的，由使用部门按原价赔偿。
"""
QUESTION, ANSWER = "会议室要提前多久预约？", "提前一个工作日"
MARKDOWN = (
    f"# 会议室管理办法\n\n{TEXT}\n## 收费\n\n| 房间 | 押金 |\n|---|---|\n| 大会议室 | 五百元 |\n"
)
HTML = (
    "<!doctype html><meta charset={}><title>办法</title><nav>首页</nav><h1>会议室管理办法</h1>"
    + "".join(f"<p>{line}</p>" for line in TEXT.split("\n\n")[1:])
    + "<table><tr><th>房间<th>押金<tr><td>大会议室<td>五百元</table>"
)
FAQ = [["问题", "答案"], ["食堂几点开门？", "早上七点开门。"], ["班车几点发车？", "早上八点发车。"]]
PRICES = [
    ["二〇二六年收费标准"],
    ["房间", "面积", "押金"],
    ["大会议室", "一百二十平方米", "五百元"],
    ["小会议室", "三十平方米", "一百元"],
    ["报告厅", "四百平方米", "两千元"],
]
PEOPLE = [["姓名", "部门", "电话"], ["王小明", "后勤处", "8123"], ["李红", "财务处", "8124"]]
THINGS = (
    "停车场 图书馆 食堂 宿舍 体育馆 实验室 档案室 打印室 医务室 收发室 传达室 值班室 仓库 车队 机房"
    " 电梯 空调 门禁 监控 消防 供水 供电 燃气 绿化 保洁 垃圾 快递 报刊 电话 网络 邮箱 印章 合同"
    " 采购 报销 差旅 工资 考勤 请假 加班 培训 招聘 离职 退休 体检 保险 公积金 工会 团委 年会"
).split()


def handbook(pages: int = 50) -> bytes:
    """A PDF of a page for each of `THINGS`."""
    return pdf(
        [
            [
                f"{thing}由行政部负责日常管理，每年年初公布当年的管理安排，并接受全体职工监督。",
                "各部门应当指定一名联系人，负责本部门的申请、登记和意见反馈，人员变动时及时更",
                f"新。{thing}的服务热线是 {7000 + n}，工作日上午九点至下午五点有人接听；节假日请",
                f"联系总值班室。对{thing}有意见的，可以书面提出，行政部在 {n + 3} 个工作日内答复。",
                "本页内容自公布之日起施行，以前的规定与本页不一致的，以本页为准。",
            ]
            for n, thing in enumerate((THINGS * 2)[:pages], 1)
        ]
    )


def _article(document: Any) -> None:
    document.add_heading("会议室管理办法", 0)
    for number, line in enumerate(TEXT.split("\n\n")[1:], 1):
        document.add_heading(f"第{number}节", 1)
        document.add_paragraph(line)


def _with_table(document: Any) -> None:
    document.add_paragraph("各会议室的押金如下。")
    table = document.add_table(0, 2)
    for room, price in (("房间", "押金"), ("大会议室", "五百元"), ("小会议室", "一百元")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = room, price


def _deck(presentation: Any) -> None:
    for number, line in enumerate(TEXT.strip().split("\n\n"), 1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"要点{number}"
        slide.placeholders[1].text = line


def _rich(presentation: Any) -> None:
    """A table, a group, two columns, notes."""
    blank = presentation.slide_layouts[5]
    slide = presentation.slides.add_slide(blank)
    slide.shapes.title.text = "收费"
    table = slide.shapes.add_table(3, 2, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for (row, column), text in {
        (0, 0): "房间", (0, 1): "押金", (1, 0): "大会议室", (1, 1): "五百元",
        (2, 0): "小会议室", (2, 1): "一百元",
    }.items():  # fmt: skip
        table.cell(row, column).text = text
    slide = presentation.slides.add_slide(blank)
    slide.shapes.title.text = "流程"
    group = slide.shapes.add_group_shape()
    for left, text in ((5, "第二步到前台领取钥匙"), (1, "第一步在网上提交申请")):
        box = group.shapes.add_textbox(Inches(left), Inches(2), Inches(3), Inches(1))
        box.text_frame.text = text
    slide.notes_slide.notes_text_frame.text = "讲解时提醒：周末的会议须经处长批准。"


def _lines(rows: list[list[str]], joint: str) -> str:
    return "".join(joint.join(row) + "\n" for row in rows)


def _jsonl(rows: list[list[str]]) -> bytes:
    lines = ({"question": q, "answer": a} for q, a in rows[1:])
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()


def _workbook_with_macros() -> bytes:
    """What Excel saves as XLSM: the sheets, and a program that nobody runs."""
    import io
    import zipfile

    data = io.BytesIO(workbook(FAQ))
    with zipfile.ZipFile(data, "a") as package:
        package.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0" + b"Auto_Open" * 99)
    return data.getvalue()


PHONE = "监控的服务热线是多少？"
DEPOSIT, FIVE = "大会议室押金多少？", "五百元"
REAL: list[Real] = [
    Real("五十页.pdf", handbook(), "电话的服务热线是多少？", "7029", 29, 50),
    Real("handbook.pdf", handbook(20), PHONE, "7019", 19, 20),
    Real("English.pdf", pdf([["The reading room opens at nine.", "Bring your staff card."],
         ["Parking costs two yuan an hour for visitors.", "They report at the gate."]]),
         "What does parking cost visitors?", "two yuan", 2, 2),
    Real("办法.docx", word(_article), QUESTION, ANSWER),
    Real("押金.docx", word(_with_table), DEPOSIT, FIVE),
    Real("faq.xlsx", workbook(FAQ), "食堂几点开门？", "七点"),
    Real("价格.xlsx", workbook(PRICES), DEPOSIT, FIVE),
    Real("两张表.xlsx", workbook(PEOPLE, PRICES), "王小明的电话是多少？", "8123"),
    Real("macros.xlsm", _workbook_with_macros(), "班车几点发车？", "八点"),
    Real("old.xls", xls(FAQ), "食堂几点开门？", "七点"),
    Real("价格.xls", xls(PRICES), DEPOSIT, FIVE),
    Real("要点.pptx", slides(_deck), QUESTION, ANSWER, 2, 4),
    Real("收费.pptx", slides(_rich), DEPOSIT, FIVE, 1, 2),
    Real("notes.pptx", slides(_rich), "周末的会议要谁批准？", "处长批准", 2, 2),
    Real("办法.html", HTML.format("utf-8").encode(), QUESTION, ANSWER),
    Real("gb.htm", HTML.format("gb2312").encode("gb18030"), DEPOSIT, FIVE),
    Real("办法.md", MARKDOWN.encode(), QUESTION, ANSWER),
    Real("押金.markdown", MARKDOWN.encode("utf-8-sig"), DEPOSIT, FIVE),
    Real("办法.txt", TEXT.encode(), QUESTION, ANSWER),
    Real("mark.txt", TEXT.encode("utf-8-sig"), QUESTION, ANSWER),
    Real("gb18030.txt", TEXT.encode("gb18030"), QUESTION, ANSWER),
    Real("utf16.txt", TEXT.encode("utf-16"), QUESTION, ANSWER),
    Real("be.txt", b"\xfe\xff" + TEXT.encode("utf-16-be"), QUESTION, ANSWER),
    Real("faq.csv", _lines(FAQ, ",").encode("utf-8-sig"), "食堂几点开门？", "七点"),
    Real("价格.csv", _lines(PRICES, ",").encode("gb18030"), DEPOSIT, FIVE),
    Real("电话.tsv", _lines(PEOPLE, "\t").encode("utf-16"), "李红的电话是多少？", "8124"),
    Real("faq.jsonl", _jsonl(FAQ), "班车几点发车？", "八点"),
]  # fmt: skip
