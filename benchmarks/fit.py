"""Fit the weights and the probabilities of `pocketqa/ranking.json`; prints what they bring.

    python benchmarks/fit.py ../shared/data/* [--write]

Each folder is a set in the BEIR layout; `benchmarks/hall` over the demo knowledge is always one.
The ranking's weights are fitted by coordinate ascent on the mean nDCG@10 of the sets, held to
where they start by a ridge; then the two models of `calibration` by logistic regression, each set
counting the same. Every figure is also given cross-validated: fitted without the set.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from fit_ranking import ROOT, Asked, ask, fit_weights, open_set, rows
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pocketqa import calibration, ranking
from pocketqa.question import parse
from pocketqa.retriever import MAX_QUESTION, Retriever

HALL = ROOT / "benchmarks" / "hall"
THRESHOLD = 0.12
SHARPNESS = 4.0
"""How steeply a question that does not belong is marked down: those that do are left alone."""
FOREIGN = {"reading": 1.6, "hall": 0.03}
"""What off-topic questions count against the set's own; `FOREIGN_ELSE` where it is not named."""
FOREIGN_ELSE = 0.5


@dataclass(frozen=True)
class Sample:
    """The features of a best hit, and whether it is right. `kind`: own, off or near."""

    features: np.ndarray
    right: bool
    kind: str
    split: str


def main() -> None:
    """Fit, print, and with --write put into ranking.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        opened = {
            path.name: open_set(path, Path(folder) / path.name) for path in (*options.sets, HALL)
        }
        asked = {name: list(ask(path, retriever)) for name, (path, retriever) in opened.items()}
        weights = fit_weights(asked)
        ranking.default_weights.cache_clear()
        ranking.default_weights = lambda: weights  # type: ignore[assignment]
        samples = {
            name: list(sample(retriever, asked[name])) for name, (_, retriever) in opened.items()
        }
    models = fit_models(samples)
    fitted = {"ranking": rounded(asdict(weights)), **models}
    print(json.dumps(fitted, indent=2))
    if options.write:
        target = ROOT / "pocketqa" / "ranking.json"
        target.write_text(json.dumps(fitted, indent=2) + "\n", encoding="utf-8")


def sample(retriever: Retriever, asked: Sequence[Asked]) -> Iterator[Sample]:
    """The best hit of each question of the set, and of each off-topic one."""
    ranker = retriever.ranker
    off = rows(ROOT / "benchmarks" / "off_topic.jsonl")
    questions = [(each.text, each.gains, "own", each.split) for each in asked] + [
        (row["text"], {}, "near" if row["kind"] == "near" else "off", row["split"]) for row in off
    ]
    for text, gains, kind, split in questions:
        question = parse(text[:MAX_QUESTION], ranker.matrices.idf)
        ranked = ranker.rank(question, 2)
        if len(ranked.rows):
            values = calibration.features(ranker, question, ranked)[0]
            yield Sample(values, retriever.passage(int(ranked.rows[0])).id in gains, kind, split)
        else:
            yield Sample(np.full(len(calibration.FEATURES), np.nan), False, kind, split)


def fit_models(samples: dict[str, list[Sample]]) -> dict[str, dict[str, float]]:
    """Both models for all sets; prints calibration and refusals on what was not fitted."""
    models = regress(samples, list(samples))
    print(f"\n{'':14} {'right':>6} {'ece':>6} {'unseen':>7} {'lost':>6} {'off':>6} {'near':>6}")
    for name, each in samples.items():
        unseen = regress(samples, [other for other in samples if other != name])
        own = [s for s in each if s.kind == "own"]
        right = np.array([s.right for s in own])
        score, foreign = probability(own, models), probability(own, unseen)
        refused = {
            kind: np.mean(
                probability([s for s in each if (s.kind, s.split) == (kind, "test")], models)
                < THRESHOLD
            )
            for kind in ("off", "near")
        }
        print(
            f"{name:14} {right.mean():6.3f} {ece(score, right):6.3f} {ece(foreign, right):7.3f} "
            f"{np.mean(score[right] < THRESHOLD):6.3f} {refused['off']:6.3f} {refused['near']:6.3f}"
        )
    return models


def regress(samples: dict[str, list[Sample]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The two models, from the sets named; of off-topic questions only those of the split fit."""
    own = [(s, name) for name in names for s in samples[name] if s.kind == "own"]
    off = [
        (s, name) for name in names for s in samples[name] if s.kind != "own" and s.split == "fit"
    ]
    both = own + off
    kinds = [s.kind == "own" for s, _ in both]
    shares = [
        1.0 if kind else FOREIGN.get(name, FOREIGN_ELSE)
        for kind, (_, name) in zip(kinds, both, strict=True)
    ]
    belongs = logistic(calibration.BELONGS, both, kinds, shares)
    belongs = {name: SHARPNESS * value for name, value in belongs.items()}
    # The second model speaks of those questions only that the first lets pass.
    passed = probability([s for s, _ in own], {"belongs": belongs})
    answers = logistic(calibration.ANSWERS, own, [s.right for s, _ in own], passed)
    return {"answers": answers, "belongs": belongs}


def logistic(
    names: Sequence[str],
    found: Sequence[tuple[Sample, str]],
    labels: Sequence[bool],
    shares: Sequence[float],
) -> dict[str, float]:
    """Coefficients for the plain features; all of a set's own count as much as another's.

    So do all of its off-topic questions; `shares` weighs each question besides.
    """
    keys = [(name, s.kind == "own") for s, name in found]
    counts = Counter(keys)
    kept = [i for i, (s, _) in enumerate(found) if not np.isnan(s.features).any()]
    weights = [1000 * shares[i] / counts[keys[i]] for i in kept]
    columns = [calibration.FEATURES.index(name) for name in names]
    values = np.array([found[i][0].features[columns] for i in kept])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(values, [labels[i] for i in kept], logisticregression__sample_weight=weights)
    scaler, regression = model[0], model[1]
    coefficients = regression.coef_[0] / scaler.scale_
    intercept = regression.intercept_[0] - coefficients @ scaler.mean_
    return rounded({**dict(zip(names, coefficients, strict=True)), "intercept": intercept})


def probability(samples: Sequence[Sample], models: dict[str, dict[str, float]]) -> np.ndarray:
    """The probability of each; 0 where nothing was found."""
    values = np.array([s.features for s in samples])
    product = np.ones(len(samples))
    for model in models.values():
        logit = values @ [model.get(name, 0.0) for name in calibration.FEATURES]
        product /= 1 + np.exp(-np.clip(logit + model["intercept"], -50, 50))
    return np.nan_to_num(product)


def ece(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini and others 2015), bins of equal width."""
    at = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(scores[at == b].sum() - right[at == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(scores))


def rounded(values: dict[str, float]) -> dict[str, float]:
    """To four digits, so that the file stays readable."""
    return {name: round(float(value), 4) for name, value in values.items()}


if __name__ == "__main__":
    main()
