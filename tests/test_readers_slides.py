"""Slides: what is read of each, in which order."""

from __future__ import annotations

from typing import Any

from papers import slides
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from pocketqa.passages import Passage, page_of, read_file

A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"


def read(write: Any) -> list[Passage]:
    found = list(read_file("会.pptx", slides(write)))
    assert all(isinstance(item, Passage) for item in found)
    return found  # type: ignore[return-value]


def add(presentation: Any, title: str) -> Any:
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = title
    return slide


def box(shapes: Any, left: float, top: float, text: str) -> None:
    shapes.add_textbox(Inches(left), Inches(top), Inches(3), Inches(1)).text_frame.text = text


def test_text_is_read_from_the_top_and_from_left_to_right() -> None:
    def write(presentation: Any) -> None:
        slide = add(presentation, "流程")
        box(slide.shapes, 5, 4, "丁")
        box(slide.shapes, 1, 4.1, "丙")
        group = slide.shapes.add_group_shape()
        box(group.shapes, 5, 2, "乙")
        box(group.shapes, 1, 2, "甲")
        slide.notes_slide.notes_text_frame.text = "备注。"
        add(presentation, "").shapes.title.text = ""
        box(presentation.slides[1].shapes, 1, 2, "第二张。")

    assert [(p.title, p.text, page_of(p)) for p in read(write)] == [
        ("会 › 流程", "甲\n乙\n丙\n丁\n备注。", 1),
        ("会 › 第 2 页", "第二张。", 2),
    ]


def table(slide: Any, rows: list[list[str]]) -> Any:
    height, width = len(rows), len(rows[0])
    made = slide.shapes.add_table(height, width, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            made.cell(r, c).text = text
    return made


def test_tables_are_text_or_questions() -> None:
    def write(presentation: Any) -> None:
        prices = table(
            add(presentation, "收费"),
            [["楼", "房间", "押金"], ["东", "大", "五百"], ["", "小", "一百"]],
        )
        prices.cell(1, 0).merge(prices.cell(2, 0))
        table(add(presentation, "问答"), [["问题", "答案"], ["能停吗？", "能。"]])

    assert sorted((p.kind, p.title, p.text, p.place) for p in read(write)) == [
        ("curated", "能停吗？", "能。", "会.pptx:s2"),
        ("document", "会 › 收费", "楼:东;房间:大;押金:五百\n楼:东;房间:小;押金:一百", "会.pptx:s1"),
    ]


def test_smart_art_is_read() -> None:
    def write(presentation: Any) -> None:
        slide = add(presentation, "组织")
        blob = f'<x xmlns:a="{A}"><a:p><a:r><a:t>办公</a:t></a:r><a:r><a:t>室</a:t></a:r></a:p></x>'
        part = Part(
            PackURI("/ppt/diagrams/data1.xml"), "application/xml", slide.part.package,
            blob.encode(),
        )  # fmt: skip
        number = slide.part.relate_to(part, RELATIONSHIP_TYPE.DIAGRAM_DATA)
        slide.shapes._spTree.append(
            parse_xml(
                f'<p:graphicFrame xmlns:p="{P}" xmlns:a="{A}"><p:nvGraphicFramePr>'
                '<p:cNvPr id="9" name="x"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
                '<p:xfrm><a:off x="0" y="0"/><a:ext cx="9" cy="9"/></p:xfrm><a:graphic>'
                f'<a:graphicData uri="{DIAGRAM}"><d:relIds xmlns:d="{DIAGRAM}" xmlns:r="{R}"'
                f' r:dm="{number}"/></a:graphicData></a:graphic></p:graphicFrame>'
            )
        )

    assert [p.text for p in read(write)] == ["办公室"]
