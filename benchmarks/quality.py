"""What each precision of the engine costs: next tokens, perplexity and answers, beside float32.

    python benchmarks/quality.py [--precision NAME…] [--limit N] [--reading DIR] [--json FILE]

The prompts and answers are those of `reference.py`, by stock transformers in float32. Handed to the
engine's network token by token (teacher forcing), they tell how often it finds the same next token
likeliest, how far its chances are from those of float32 (KL), and its perplexity. Then the engine
answers the questions itself, several at once, and what it says is compared with people's answers.
`--precision` without names computes what is missing of the reference, and shows it alone.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import get_args

# Before torch is imported: threads that spin starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402
from reference import MAX_NEW_TOKENS, Case, Reference, cases, references  # noqa: E402
from teacher import Network, itself, teach  # noqa: E402
from tqdm import tqdm  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from pocketqa import app, models  # noqa: E402
from pocketqa.answer_metrics import char_f1, cmrc_f1, gold_recall  # noqa: E402
from pocketqa.config import Config, load, usable_cores  # noqa: E402
from pocketqa.engine import Options  # noqa: E402
from pocketqa.engine import model as engine_model  # noqa: E402

READING = Path(__file__).resolve().parents[2] / "shared" / "data" / "reading"
REFERENCE = "reference"
PRECISIONS = list(get_args(Config.model_fields["precision"].annotation))


def main() -> None:
    """Measure and print."""
    options = parse()
    config = load()
    source = Path(models.resolve(config.model, config.home))
    asked = cases(options.reading, options.limit)
    with tqdm(total=len(asked), desc=REFERENCE) as bar:
        found = references(source, asked, config.home / "bench" / "quality", bar.update)
    said = {REFERENCE: texts(source, found)}
    forced = {REFERENCE: itself(found)}
    for name in options.precision:
        said[name] = answers(source, name, asked)
        bar = tqdm(total=len(asked), desc=f"{name} next tokens")
        with bar, closing(network(source, name)) as taught:
            forced[name] = teach(taught, found, bar.update)
    figures = {
        name: {**forced[name].figures(), **compared(said[name], said[REFERENCE], asked)}
        for name in said
    }
    print(shown(figures))
    if options.json:
        about = {"model": config.model, "reading": str(options.reading), "questions": len(asked)}
        texts_of = [
            {"id": case.id, **{name: said[name][n] for name in said}}
            for n, case in enumerate(asked)
        ]
        report = {**about, "precisions": figures, "answers": texts_of}
        options.json.write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", nargs="*", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--reading", type=Path, default=READING)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def texts(source: Path, found: Sequence[Reference]) -> list[str]:
    """The answers of the references."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    said = [each.ids[each.prompt :].tolist() for each in found]
    return [tokenizer.decode(ids, skip_special_tokens=True) for ids in said]


def answers(source: Path, precision: str, asked: Sequence[Case]) -> list[str]:
    """What the engine says; it is handed all questions at once."""
    config = load(model=str(source), precision=precision, threads=threads(), queue_size=len(asked))
    engine = app.start_engine(config)
    engine.wait()
    try:
        options = Options(max_new_tokens=MAX_NEW_TOKENS)
        running = [engine.submit(case.messages, options) for case in asked]
        return ["".join(generation) for generation in tqdm(running, desc=f"{precision} answers")]
    finally:
        engine.close()
        # What comes next loads the weights again, and twice they do not fit everywhere.
        del engine
        gc.collect()


def network(source: Path, precision: str) -> Network:
    """The engine's network in a precision."""
    return engine_model.load(source, precision=precision, threads=threads())


def threads() -> int:
    """Threads that compute; `OMP_NUM_THREADS` wins."""
    return int(os.environ.get("OMP_NUM_THREADS", usable_cores()))


def compared(
    said: Sequence[str], reference: Sequence[str], asked: Sequence[Case]
) -> dict[str, float]:
    """Answers beside people's, and how much F1 they lose to the reference's.

    `f1_lost_error` is the standard error of that loss, question by question.
    """
    golds = [case.answers for case in asked]
    f1 = np.array([char_f1(*pair) for pair in zip(said, golds, strict=True)])
    cmrc = [cmrc_f1(*pair) for pair in zip(said, golds, strict=True)]
    recall = [gold_recall(*pair) for pair in zip(said, golds, strict=True)]
    lost = np.array([char_f1(*pair) for pair in zip(reference, golds, strict=True)]) - f1
    error = float(lost.std(ddof=1)) / len(lost) ** 0.5 if len(lost) > 1 else 0.0
    same = [mine == theirs for mine, theirs in zip(said, reference, strict=True)]
    figures = {
        "char_f1": f1.mean(), "f1_lost": lost.mean(), "f1_lost_error": error,
        "gold_recall": np.mean(recall), "cmrc_f1": np.mean(cmrc), "same_answers": np.mean(same),
    }  # fmt: skip
    return {name: round(float(figure), 4) for name, figure in figures.items()}


def shown(figures: dict[str, dict[str, float]]) -> str:
    """The table in Markdown."""
    columns = list(figures[REFERENCE])
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in figures.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[each]}" for each in columns) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
