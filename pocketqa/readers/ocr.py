"""Text of a page that is only a picture, through RapidOCR, an extra: `pip install "pocketqa[ocr]"`.

Its models (PP-OCRv6: Chinese, English, digits) lie in its package; nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from typing import Any

DPI = 200
MAX_PIXELS = 8_000_000
"""Of a page's picture: A4 at 200 dpi has 4 million. A page may be as large as its file claims."""

NEEDED = ("rapidocr", "onnxruntime")

EXTRA = (
    '安装 OCR 组件后可以识别：pip install "pocketqa[ocr]"',
    'with the extra it is recognised: pip install "pocketqa[ocr]"',
)


def is_installed() -> bool:
    """Whether the extra `ocr` is there."""
    return all(importlib.util.find_spec(name) for name in NEEDED)


def lines(page: Any) -> list[str]:
    """The lines of text on a page of pypdfium2, from the top down."""
    import numpy

    width, height = page.get_size()  # in points, 72 an inch
    scale = min(DPI / 72, (MAX_PIXELS / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale, grayscale=True).to_numpy()
    if picture.ndim == 2:
        picture = picture[:, :, None]
    found = _engine()(numpy.ascontiguousarray(picture[:, :, :1].repeat(3, axis=2)))
    if not found.txts:
        return []
    return _joined([(box, text) for box, text in zip(found.boxes, found.txts, strict=True)])


def _joined(found: list[tuple[Any, str]]) -> list[str]:
    """Texts that stand side by side as one line."""
    rows: list[tuple[float, float, list[tuple[float, str]]]] = []
    for box, text in sorted(found, key=lambda each: each[0][:, 1].mean()):
        middle, height = box[:, 1].mean(), box[:, 1].max() - box[:, 1].min()
        if rows and middle - rows[-1][0] < 0.5 * min(height, rows[-1][1]):
            rows[-1][2].append((box[:, 0].min(), text))
        else:
            rows.append((middle, height, [(box[:, 0].min(), text)]))
    return [" ".join(text for _, text in sorted(row)) for _, _, row in rows]


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": int(
                os.environ.get("OMP_NUM_THREADS", "-1")
            ),
        }
    )
