"""How well `grounding.check` tells invented sentences from supported ones.

    python benchmarks/grounding.py

grounding.jsonl: our own sentences about passages of knowledge/, half of them supported. The
threshold was chosen on the sentences of every other passage ("chosen"); the others report.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pocketqa.grounding import check, support  # noqa: E402
from pocketqa.grounding.extracting import sentences  # noqa: E402
from pocketqa.passages import read  # noqa: E402

LABELLED = Path(__file__).with_name("grounding.jsonl")


@dataclass(frozen=True)
class Judged:
    """A labelled sentence with what the check says of it."""

    passage: str
    sentence: str
    is_supported: bool
    kind: str
    support: float
    is_flagged: bool


@dataclass(frozen=True)
class Figures:
    """Of flagging what is not supported."""

    precision: float
    recall: float
    auc: float


def judge() -> list[Judged]:
    """Every sentence of the labelled set, judged by its passage."""
    passages = {passage.title: passage for passage in read([ROOT / "knowledge"])[0]}
    judged = []
    for line in LABELLED.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        title, sentence = row["title"], row["sentence"]
        text = passages[title].text
        worth = support(sentence, [*sentences(text), title])
        flagged = not check(sentence, "", [title, text]).passes
        judged.append(Judged(title, sentence, row["supported"], row["kind"], worth, flagged))
    return judged


def halves(judged: Sequence[Judged]) -> tuple[list[Judged], list[Judged]]:
    """Those of every other passage, and the rest."""
    titles = list(dict.fromkeys(each.passage for each in judged))
    chosen = set(titles[::2])
    return (
        [each for each in judged if each.passage in chosen],
        [each for each in judged if each.passage not in chosen],
    )


def figures(judged: Sequence[Judged]) -> Figures:
    """Precision and recall of what is flagged; the area under the curve of the support alone."""
    flagged = [each for each in judged if each.is_flagged]
    wrong = [each for each in judged if not each.is_supported]
    right = [each for each in judged if each.is_supported]
    hits = sum(not each.is_supported for each in flagged)
    order = [(a.support > b.support) + 0.5 * (a.support == b.support) for a in right for b in wrong]
    return Figures(hits / len(flagged), hits / len(wrong), sum(order) / len(order))


def main() -> None:
    """Print the figures of both halves and the recall of each kind of fault."""
    judged = judge()
    for name, half in zip(("chosen", "reported"), halves(judged), strict=True):
        found = figures(half)
        print(
            f"{name}: {len(half)} sentences, precision {found.precision:.2f}, "
            f"recall {found.recall:.2f}, AUC {found.auc:.3f}"
        )
    for kind in ("invention", "number", "negation", "swap"):
        of_kind = [each for each in halves(judged)[1] if each.kind == kind]
        print(f"reported {kind}: {sum(each.is_flagged for each in of_kind)} of {len(of_kind)}")


if __name__ == "__main__":
    main()
