"""The language engines that are compared, each in a worker process of its own.

All take a list of requests that are asked at once and return their streams. All load the same
weights: llama.cpp the GGUF file, the others what that file was converted to.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine_figures import Request, Stream


@dataclass(frozen=True)
class Settings:
    """What a worker loads, and how many streams of how many tokens it must be able to hold."""

    gguf: Path
    converted: Path
    threads: int
    streams: int
    tokens: int


class LanguageEngine(Protocol):
    """One of the compared."""

    weight_bytes: int | None
    """Bytes of weights that a token reads; `None` for llama.cpp, which reads those of the file."""

    def ask(self, requests: Sequence[Request]) -> list[Stream]:
        """Answer all at once; greedy, to their natural ends or limits."""
        ...


class Ours:
    """`pocketqa.engine`, through the interface that the service uses."""

    def __init__(self, settings: Settings) -> None:
        from pocketqa.engine import Engine
        from pocketqa.engine.model import load
        from pocketqa.engine.packing import FILE

        loaded: list[Any] = []

        def load_once() -> Any:
            loaded.append(load(settings.converted, threads=settings.threads))
            return loaded[0]

        self._engine = Engine(load_once, max_streams=settings.streams)
        self._engine.wait()
        if self._engine.failure:
            raise self._engine.failure
        # Our own kernels read what was packed beside transformers' model, or else they aren't used.
        model = getattr(loaded[0].network, "model", None)
        packed = settings.converted / FILE
        self.weight_bytes = read_per_token(model) if model else packed.stat().st_size

    def ask(self, requests: Sequence[Request]) -> list[Stream]:
        """See `LanguageEngine.ask`."""
        from pocketqa.engine import Options

        began = time.perf_counter()
        asked = [
            self._engine.submit(each.messages, Options(max_new_tokens=each.max_new_tokens))  # type: ignore[arg-type]
            for each in requests
        ]
        with ThreadPoolExecutor(len(asked)) as pool:
            return list(pool.map(lambda each: timed(each, began), asked))


class Stock:
    """transformers' `generate`; several requests as one batch, padded on the left."""

    def __init__(self, settings: Settings) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        from pocketqa.engine.model import multiplies_bfloat16

        logging.disable_progress_bar()
        torch.set_num_threads(settings.threads)
        self._tokenizer = AutoTokenizer.from_pretrained(settings.converted, padding_side="left")
        dtype = torch.bfloat16 if multiplies_bfloat16() else torch.float32
        self._model = AutoModelForCausalLM.from_pretrained(settings.converted, dtype=dtype).eval()
        self._ends = set(self._model.generation_config.eos_token_id)
        self.weight_bytes = read_per_token(self._model)

    def ask(self, requests: Sequence[Request]) -> list[Stream]:
        """See `LanguageEngine.ask`."""
        steps = _Steps()
        encoded = self._tokenizer.apply_chat_template(
            [each.messages for each in requests],
            add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True,
        )  # fmt: skip
        limit = max(each.max_new_tokens for each in requests)
        self._model.generate(**encoded, max_new_tokens=limit, do_sample=False, streamer=steps)
        return [self._stream(steps, row) for row in range(len(requests))]

    def _stream(self, steps: _Steps, row: int) -> Stream:
        from pocketqa.engine.detokenizer import Detokenizer

        detokenizer = Detokenizer(lambda ids: self._tokenizer.decode(ids, skip_special_tokens=True))
        deltas = []
        for at, ids in steps.taken:
            if ids[row] in self._ends:
                break
            if text := detokenizer.put(ids[row]):
                deltas.append((at, text))
        return Stream(tuple(deltas))


class _Steps:
    """Takes what `generate` gives a streamer: the prompt first, then a token a row each step."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, list[int]]] = []
        self._began = time.perf_counter()
        self._has_prompt = False

    def put(self, ids: Any) -> None:
        if self._has_prompt:
            self.taken.append((time.perf_counter() - self._began, ids.tolist()))
        self._has_prompt = True

    def end(self) -> None:
        pass


class LlamaCpp:
    """llama.cpp's server as the `xllamacpp` wheel brings it, asked without HTTP."""

    weight_bytes = None

    def __init__(self, settings: Settings) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(settings.gguf)
        params.n_parallel = settings.streams
        params.n_ctx = settings.streams * settings.tokens
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
        params.verbosity = 0
        # Prompts copied aside would count as its memory; each slot keeps its last one anyway.
        params.cache_ram_mib = 0
        self._server = xllamacpp.Server(params)

    def ask(self, requests: Sequence[Request]) -> list[Stream]:
        """See `LanguageEngine.ask`."""
        began = time.perf_counter()
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(lambda each: self._stream(each, began), requests))

    def _stream(self, request: Request, began: float) -> Stream:
        deltas: list[tuple[float, str]] = []

        def take(chunk: dict[str, Any]) -> None:
            if "choices" not in chunk:
                raise RuntimeError(str(chunk))
            for choice in chunk["choices"]:
                if text := choice["delta"].get("content"):
                    deltas.append((time.perf_counter() - began, text))

        asked = {
            "messages": request.messages, "max_tokens": request.max_new_tokens,
            "temperature": 0, "cache_prompt": True, "stream": True,
        }  # fmt: skip
        self._server.handle_chat_completions(asked, take)
        return Stream(tuple(deltas))


ENGINES: dict[str, Callable[[Settings], LanguageEngine]] = {
    "ours": Ours,
    "llama.cpp": LlamaCpp,
    "transformers": Stock,
}


class WorkerError(Exception):
    """What an engine died of, or refused with."""


class Worker:
    """An engine in a new process, which sleeps while it is not asked.

    Attributes:
        ready_s: seconds from the start of the process until the engine is ready, imports included.
        weight_bytes: as the engine says.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, settings), daemon=True)
        began = time.perf_counter()
        self._process.start()
        theirs.close()
        self.weight_bytes: int | None = self._received()
        self.ready_s = time.perf_counter() - began

    def ask(self, *requests: Request) -> list[Stream]:
        """See `LanguageEngine.ask`.

        Raises:
            WorkerError: with what went wrong there.
        """
        return self._answer(requests)

    def memory(self) -> dict[str, float]:
        """`peak_mb`, the most resident so far, and `pss_mb`, its proportional share now."""
        return self._answer("memory")

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(20)
        if self._process.is_alive():
            self._process.terminate()

    def _answer(self, asked: object) -> Any:
        try:
            self._pipe.send(asked)
        except OSError as error:
            raise WorkerError("the worker's process has ended") from error
        return self._received()

    def _received(self) -> Any:
        try:
            found = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError("the worker's process ended") from error
        if isinstance(found, WorkerError):
            raise found
        return found


def _serve(pipe: Any, name: str, settings: Settings) -> None:
    """The worker's process: load, then answer until the pipe is closed."""
    try:
        engine = ENGINES[name](settings)
        pipe.send(engine.weight_bytes)
        while True:
            asked = pipe.recv()
            try:
                pipe.send(memory() if asked == "memory" else engine.ask(asked))
            except Exception as error:
                pipe.send(WorkerError(f"{name}: {type(error).__name__}: {error}"))
    except (EOFError, KeyboardInterrupt):
        os._exit(0)  # native threads of the engines may not end by themselves
    except Exception as error:
        pipe.send(WorkerError(f"{name}: {type(error).__name__}: {error}"))


def timed(deltas: Any, began: float) -> Stream:
    """The stream of an iterable of deltas, as they come."""
    return Stream(tuple((time.perf_counter() - began, delta) for delta in deltas))


def memory() -> dict[str, float]:
    """See `Worker.memory`."""
    return {
        "peak_mb": _kilobytes(Path("/proc/self/status"), "VmHWM") / 1000,
        "pss_mb": _kilobytes(Path("/proc/self/smaps_rollup"), "Pss") / 1000,
    }


def _kilobytes(file: Path, key: str) -> float:
    line = next(line for line in file.read_text().splitlines() if line.startswith(key + ":"))
    return int(line.split()[1]) * 1.024


def read_per_token(model: Any) -> int:
    """Bytes of a torch model's weights that a token reads: of an embedding of its own, a row."""
    size = sum(each.numel() * each.element_size() for each in model.parameters())
    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    apart = embedding.data_ptr() != output.data_ptr()
    return size - apart * embedding.numel() * embedding.element_size()
