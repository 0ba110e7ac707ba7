"""The score matrix against BM25F written out, in one segment and in several; likeness; ends."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pocketqa import matrix, store
from pocketqa.analysis import is_character, terms
from pocketqa.passages import Passage
from pocketqa.question import Question, parse
from pocketqa.ranking import CANDIDATES, LIKENESS, Ranker, default_weights
from pocketqa.segments import Index

MATTERS = ["护照", "身份证", "驾驶证", "居住证", "营业执照", "结婚证"]
ACTS = ["补办", "换领", "注销", "年审", "丢失怎么办"]
PASSAGES = [
    Passage(
        f"{m}{a}",
        f"{m}{a}",
        f"{m}的{a}由{o}办理，{m}收费{n}元。" * (n % 3 + 1),
        similar=(f"{m}{a}要带什么",) if n % 2 else (),
    )
    for n, (m, a, o) in enumerate((m, a, o) for m in MATTERS for a in ACTS for o in ("派出所",))
]


@pytest.fixture(params=["one segment", "several", "deleted"])
def ranker(tmp_path: Path, request: pytest.FixtureRequest) -> Ranker:
    """The same passages, whatever way they came."""
    several = request.param == "several"
    store.write(PASSAGES[:22] if several else PASSAGES, tmp_path)
    matrix.derive(tmp_path)
    if several:
        store.change(tmp_path, PASSAGES[22:])
        matrix.derive(tmp_path)
    if request.param == "deleted":
        store.change(tmp_path, [Passage("x", "护照", "护照")])
        store.change(tmp_path, [], ["x"])
        matrix.derive(tmp_path)
    return Ranker(tmp_path, Index(tmp_path))


def is_pair(term: str) -> bool:
    return len(term) > 1


def naive(question: Question, passages: list[Passage], pivots: matrix.Pivots) -> dict[str, float]:
    """`characters` and `pairs` with the weights, from the definition."""
    fields = [
        {
            "title": Counter(terms(p.title)),
            "similar": Counter(terms("\n".join(p.similar))),
            "text": Counter(terms(p.text)),
        }
        for p in passages
    ]
    frequency = Counter(t for f in fields for t in {t for c in f.values() for t in c})
    n = len(passages)

    def idf(term: str) -> float:
        return math.log1p((n - frequency[term] + 0.5) / (frequency[term] + 0.5))

    title = matrix.PLAIN_TITLE + (matrix.TITLE - matrix.PLAIN_TITLE) * pivots.telling
    weight = {"title": title, "similar": matrix.SIMILAR * title, "text": 1.0}
    weights = default_weights()
    scores = {}
    for passage, counts in zip(passages, fields, strict=True):
        score = 0.0
        for share, kind in (
            (weights.characters, is_character),
            (weights.pairs, lambda t: len(t) > 1),
        ):
            total = sum(question.terms[t] * idf(t) for t in question.own if kind(t))
            for term, value in question.terms.items():
                if not kind(term) or not total:
                    continue
                x = 0.0
                for field, found in counts.items():
                    b, length = matrix.B[field], sum(found.values())
                    norm = 1 - b + b * length / pivots.lengths[field]
                    x += weight[field] * found[term] / norm
                score += share * value * idf(term) / total * x / (x + matrix.K1)
        scores[passage.id] = score
    return scores


@pytest.mark.parametrize("text", ["护照补办", "我的驾驶证年审要多少钱", "派出所", "证"])
def test_entries_add_up_to_bm25f(ranker: Ranker, text: str) -> None:
    question = parse(text, ranker.matrices.idf)
    found = ranker.candidates(question, CANDIDATES, default_weights())
    weights = default_weights()
    scores = weights.characters * found.characters + weights.pairs * found.pairs
    pivots = ranker.matrices.parts[0].pivots
    index = ranker.index
    ids = [index.segments[s].passage(d).id for s, d in map(ranker.matrices.place, found.rows)]
    wanted = naive(question, PASSAGES, pivots)
    assert set(ids) == {identifier for identifier, score in wanted.items() if score}
    assert scores == pytest.approx([wanted[identifier] for identifier in ids], rel=1e-4)


def test_likeness_is_that_of_the_nearest_known_question(ranker: Ranker) -> None:
    question = parse("护照换领要带什么", ranker.matrices.idf)
    best = ranker.rank(question, 1)
    segment, doc = ranker.matrices.place(int(best.rows[0]))
    assert ranker.index.segments[segment].passage(doc).id == "护照换领"
    likeness = dict(zip(LIKENESS, best.candidates.likeness[best.nearest[0]], strict=True))
    assert likeness["coverage"] == pytest.approx(1) and likeness["cosine"] == pytest.approx(1)


def test_words_are_held_as_far_as_their_terms_are(ranker: Ranker) -> None:
    question = parse("护照 飞机", ranker.matrices.idf)
    rows = ranker.rank(question, 3).rows
    held = ranker.held(question, rows)
    assert held.shape == (2, 3)
    assert held[0] == pytest.approx([1, 1, 1]) and held[1] == pytest.approx([0, 0, 0])


def test_the_buffers_are_clean_after_each_question(ranker: Ranker) -> None:
    question = parse("护照补办", ranker.matrices.idf)
    first, second = ranker.rank(question, 5), ranker.rank(question, 5)
    assert np.array_equal(first.rows, second.rows)
    assert np.array_equal(first.scores, second.scores)


@pytest.mark.parametrize("text", ["", "？", "zzz", "\ud800"])
def test_nothing_in_common_finds_nothing(ranker: Ranker, text: str) -> None:
    assert len(ranker.rank(parse(text, ranker.matrices.idf), 5).rows) == 0


def test_the_matrix_of_a_segment_is_made_once(tmp_path: Path) -> None:
    store.write(PASSAGES, tmp_path)
    matrix.derive(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.matrix/*")}
    store.change(tmp_path, [Passage("neu", "新的", "新的一条")])
    matrix.derive(tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.matrix/*")}
    assert before.items() < after.items()


def test_matrices_are_made_anew_when_an_index_outgrows_its_pivots(tmp_path: Path) -> None:
    store.write(PASSAGES[:2], tmp_path)
    matrix.derive(tmp_path)
    store.change(tmp_path, PASSAGES[2:])
    matrix.derive(tmp_path)
    index = Index(tmp_path)
    made = {matrix.load(tmp_path, segment).pivots.made_for for segment in index.segments}
    index.close()
    assert made == {len(PASSAGES)}


def test_titles_that_do_not_tell_passages_apart_count_less(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    store.write([Passage(str(n), "条例 第一条", f"内容{n}") for n in range(30)], tmp_path / "a")
    store.write(PASSAGES, tmp_path / "b")
    telling = []
    for name in ("a", "b"):
        matrix.derive(tmp_path / name)
        index = Index(tmp_path / name)
        telling.append(matrix.load(tmp_path / name, index.segments[0]).pivots.telling)
        index.close()
    assert telling[0] < 0.2 < telling[1]
