"""Which attention heads look at what answers a question, before the answer begins.

    python benchmarks/reading_heads.py QUESTIONS --skip 400 --limit 180 [--model NAME] [--most 12]

QUESTIONS is a folder in the BEIR layout with `answers`, and relevance judgements for the passages
that hold them. A head's worth is the share of its look at the material that falls on the answer,
less what would by chance, on the mean. Prints the best, as `pocketqa/catalogue.json` takes them.
Choose by other questions than those that answers are measured on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pocketqa import beir, models, prompt
from pocketqa.config import load, usable_cores
from pocketqa.engine import model
from pocketqa.engine.lean import LeanNetwork
from pocketqa.engine.network import Part
from pocketqa.passages import Passage

PIECE = 128


def asked(folder: Path) -> Iterator[tuple[str, Passage, str]]:
    """Questions with their passage and an answer that stands in it."""
    found = beir.load(folder)
    texts = {passage.id: passage for passage in found.passages}
    golds = {each.id: each.golds for each in beir.load_answers(folder).questions}
    for name, question in found.queries.items():
        for passage in (texts[at] for at in found.qrels.get(name, {}) if at in texts):
            for gold in golds.get(name, ()):
                if passage.text.count(gold.strip("。 ")) == 1:
                    yield question, passage, gold.strip("。 ")


def worth(loaded: model.LoadedModel, question: str, passage: Passage, gold: str) -> np.ndarray:
    """float (layers, heads): the look at the answer beyond chance."""
    network = loaded.network
    assert isinstance(network, LeanNetwork)
    material = prompt.material([passage])
    messages = prompt.build(prompt.ZH.qa, question, (), material, prompt.ZH.asked_short)
    ids = loaded.prompt_ids(messages)
    cache = network.new_cache(len(ids))
    for begin in range(0, len(ids), PIECE):
        piece = ids[begin : begin + PIECE]
        network.forward([Part(cache, piece, int(begin + PIECE >= len(ids)))])
    content = messages[-1]["content"]
    text_at = content.index(passage.text)
    answer_at = content.index(gold, text_at)
    places = loaded.places(messages)
    if places is None:
        raise SystemExit("the template does not show the message as it is")
    in_answer = _within(places, answer_at, len(gold))
    in_text = _within(places, text_at, len(passage.text))
    shape = network.shape
    result = np.zeros((shape.layers, shape.heads))
    for layer in range(shape.layers):
        for head in range(shape.heads):
            look = network.look(cache, 0, layer, head)
            share = look[in_answer].sum() / (look[in_text].sum() + 1e-9)
            result[layer, head] = share - in_answer.sum() / in_text.sum()
    return result


def _within(places: np.ndarray, begin: int, length: int) -> np.ndarray:
    """Which tokens have some of the characters."""
    return (places[:, 1] > begin) & (places[:, 0] < begin + length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", type=Path)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--limit", type=int, default=180)
    parser.add_argument("--model", default=None)
    parser.add_argument("--most", type=int, default=12)
    options = parser.parse_args()
    config = load(**({"model": options.model} if options.model else {}))
    source = models.resolve(config.model, config.home)
    loaded = model.load(source, threads=config.threads or usable_cores())
    chosen = list(asked(options.questions))[options.skip : options.skip + options.limit]
    found = np.mean([worth(loaded, *each) for each in tqdm(chosen)], axis=0)
    order = np.argsort(-found, axis=None)[: options.most]
    heads = [divmod(int(at), found.shape[1]) for at in order]
    for layer, head in heads:
        print(f"layer {layer:2} head {head:2}: {found[layer, head]:.3f}")
    print(json.dumps(heads))
    loaded.close()


if __name__ == "__main__":
    main()
