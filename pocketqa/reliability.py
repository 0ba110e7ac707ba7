"""The calibration curve as a picture: what probability promises against what is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import PocketQAError
from .evaluation import BINS, Report, bins


def draw(reports: Sequence[Report], file: Path) -> None:
    """Draw the reliability diagram of each set, with the number of queries in each bin, as PNG.

    Raises:
        PocketQAError: `missing_package`, `not_written`.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PocketQAError(
            "missing_package",
            "画图需要 matplotlib，请运行 pip install matplotlib",
            "drawing needs matplotlib: run pip install matplotlib",
        ) from error
    figure = Figure(figsize=(7, 7), layout="constrained")
    FigureCanvasAgg(figure)
    curve, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curve.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="perfect")
    width = 0.8 / BINS / max(1, len(reports))
    for at, report in enumerate(reports):
        found = bins(report.tops)
        across = [each.probability for each in found]
        name = report.name.encode("ascii", "replace").decode()  # the font has no Chinese
        label = f"{name}: ECE {report.figures['ece']:.3f}, n = {report.queries}"
        curve.plot(across, [each.relevant for each in found], marker="o", label=label)
        middles = [min(int(p * BINS), BINS - 1) / BINS + 0.5 / BINS for p in across]
        offset = (at - (len(reports) - 1) / 2) * width
        bars = counts.bar([m + offset for m in middles], [each.n for each in found], width)
        counts.bar_label(bars, fontsize=6, rotation=90 if len(reports) > 2 else 0, padding=2)
    curve.set(ylabel="share of top passages that are relevant", xlim=(0, 1), ylim=(0, 1.02))
    curve.set_title("Calibration of the top passage's probability")
    counts.set(xlabel="probability of the top passage", ylabel="queries")
    counts.margins(y=0.25)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    for axes in (curve, counts):
        axes.grid(alpha=0.3)
        axes.set_xticks([tick / BINS for tick in range(BINS + 1)])
    try:
        figure.savefig(file, format="png", dpi=150)
    except OSError as error:
        raise PocketQAError(
            "not_written",
            f"{file} 无法写入：{error.strerror}",
            f"{file} cannot be written: {error.strerror}",
        ) from error
