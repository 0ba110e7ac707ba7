"""The measures: each asks one worker in one round of the run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial

import engine_figures as figures
from engine_figures import Request, Stream
from engine_prompts import FREE, MANY, Prompts
from peers import Worker

Found = dict[str, "float | None"]
"""Figures by name; `None` when there were too few tokens to tell."""


class Bench:
    """Asks `few` questions of a kind; the prompts are the same for every engine in a round."""

    def __init__(
        self, prompts: Prompts, count: figures.Count, streams: Sequence[int], few: int
    ) -> None:
        self.prompts, self.count, self.few = prompts, count, few
        self.measures: dict[str, Callable[[Worker, int], Found]] = {
            "prefill": self.prefill,
            "first_300": partial(self.first, 300),
            "first_1000": partial(self.first, 1000),
            "free": self.free,
            "grounded": self.grounded,
            "second_turn": self.second_turn,
            **{f"streams_{n}": partial(self.many, n) for n in streams},
        }

    def prefill(self, worker: Worker, turn: int) -> Found:
        """Tokens of a new prompt by the seconds to its first token."""
        request = self.prompts.prefill(1000 + turn)
        return {"prefill": self.prompts.count(request.messages) / worker.ask(request)[0].first}

    def first(self, tokens: int, worker: Worker, turn: int) -> Found:
        """Seconds to the first token of grounded questions, asked one after the other."""
        asked = [self.prompts.first_token(turn * self.few + i, tokens) for i in range(self.few)]
        return {f"first_{tokens}": statistics.mean(worker.ask(each)[0].first for each in asked)}

    def free(self, worker: Worker, turn: int) -> Found:
        """Tokens a second after the first, of free texts, asked one after the other."""
        streams = [worker.ask(each)[0] for each in self.prompts.free(self.few, FREE)]
        return {
            "free": figures.decode_rate(streams, self.count),
            "free_repeated": statistics.mean(figures.repeated(each.text) for each in streams),
        }

    def grounded(self, worker: Worker, turn: int) -> Found:
        """The same of grounded answers, to their natural ends."""
        asked = self.prompts.grounded(2 * self.few)
        streams = [worker.ask(each)[0] for each in asked]
        pairs = zip(streams, asked, strict=True)
        return {
            "grounded": figures.decode_rate(streams, self.count),
            "grounded_copied": statistics.mean(
                figures.copied(each.text, request.messages[-1]["content"])
                for each, request in pairs
            ),
            "grounded_tokens": statistics.mean(self.count(each.text) for each in streams),
        }

    def second_turn(self, worker: Worker, turn: int) -> Found:
        """Seconds to the first token of a turn that follows another, and by those when unseen."""
        first = self.prompts.first_turn(2000 + turn)
        answer = worker.ask(first)[0].text
        seen = worker.ask(self.prompts.second_turn(first, answer, 2000 + turn))[0].first
        unseen = worker.ask(self.prompts.second_turn(first, answer, 3000 + turn))[0].first
        return {"second_turn_s": seen, "second_turn": seen / unseen}

    def many(self, n: int, worker: Worker, turn: int) -> Found:
        """Tokens a second in all of `n` free texts that were asked at once."""
        streams = worker.ask(*self.prompts.free(n, MANY))
        return {
            f"streams_{n}": figures.steady_rate(streams, self.count),
            f"streams_{n}_wall": figures.wall_rate(streams, self.count),
        }

    def length(self, asked: Sequence[Request], streams: Sequence[Stream]) -> float:
        """Tokens of prompt and answer, on average."""
        prompts = sum(self.prompts.count(each.messages) for each in asked)
        return (prompts + sum(self.count(each.text) for each in streams)) / len(asked)
