"""One request to an OpenAI-compatible server, on a connection of its own that can be cut."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openai import OpenAI, Stream

from .generation import EndReason, Message, Options
from .stopping import StopTexts

CONNECT_S = 5.0
READ_S = 120.0
"""Longest silence of the server: it may have a line of its own, and long prompts take long."""
PROBE_READ_S = 10.0

# What the client takes from the environment for one particular service; it is not this server's.
_AMBIENT = ("OpenAI-Organization", "OpenAI-Project")


class BrokenOff(Exception):
    """The server ended an answer without saying that it is complete."""


class NotCompatible(Exception):
    """What answers is no OpenAI-compatible server."""


@dataclass(frozen=True)
class Address:
    """Where the server is, and the key that it wants; `''` if none."""

    url: str
    key: str = field(default="", repr=False)

    @cached_property
    def tls(self) -> Any:
        """Read once: the certificates of the system take some 80 ms."""
        return httpx2.create_ssl_context()

    @property
    def is_loopback(self) -> bool:
        """This machine itself, which no proxy could reach."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")


class Connection:
    """Carries one request; `cut` ends it at any moment, from any thread or greenlet.

    A connection of its own for each request costs 0.2 ms and a handshake, beside seconds of
    answer. In return it is never one that the server has closed meanwhile, and cutting it is the
    whole of cancelling: servers stop computing for a client that has gone.
    """

    def __init__(self, address: Address, read_s: float = READ_S) -> None:
        self._address, self._read_s = address, read_s
        self._socket: socket.socket | None = None
        self._is_cut = False

    @cached_property
    def _client(self) -> OpenAI:
        address = self._address
        http = httpx2.Client(
            verify=address.tls,
            trust_env=not address.is_loopback,  # proxies
            timeout=httpx2.Timeout(self._read_s, connect=CONNECT_S),
            event_hooks={"request": [self._prepare]},
        )
        # Without a key of ours the client would take OPENAI_API_KEY.
        key = address.key or "none"
        return OpenAI(base_url=address.url, api_key=key, max_retries=0, http_client=http)

    def models(self) -> list[str]:
        """Names of the models that the server offers.

        Raises:
            openai.OpenAIError: as the server, or the way to it, says.
            NotCompatible: when the answer is something else.
        """
        try:
            answer: Any = self._client.get("/models", cast_to=object)
            return [str(row["id"]) for row in answer["data"]]
        except (TypeError, LookupError, ValueError):
            raise NotCompatible("/models is no list of models: ends the address in /v1?") from None

    def stream(
        self, model: str, messages: list[Message], options: Options
    ) -> Generator[str, None, EndReason]:
        """Ask, and yield deltas as they come; return why the answer ended.

        Raises:
            openai.OpenAIError: as the server, or the way to it, says.
            BrokenOff: when the stream ends and the answer had not.
        """
        stops = StopTexts(options.stop)
        # What `chat.completions.create` does, but with plain dicts for chunks: with their typed
        # objects a token takes 216 µs instead of 46.
        chunks: Stream[object] = self._client.post(
            "/chat/completions",
            body=_payload(model, messages, options),
            cast_to=object,
            stream=True,
            stream_cls=Stream[object],
        )
        with chunks:
            for chunk in chunks:
                text, reason = _read(chunk)
                certain, is_stopped = stops.put(text)
                yield certain
                if is_stopped:
                    return "stop"
                if reason is not None:
                    yield stops.flush()
                    return _end_reason(reason)
        raise BrokenOff("the stream ended without a finish_reason")

    def cut(self) -> None:
        """End the connection now, also while it waits for the first token. Harmless again."""
        self._is_cut = True
        if self._socket is not None:
            try:
                # Closing would not wake a thread that waits for data.
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # has ended by itself

    def close(self) -> None:
        """Give everything back; for the thread that has used it."""
        if "_client" in self.__dict__:
            self._client.close()

    def _prepare(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._trace
        for name in (*_AMBIENT, *([] if self._address.key else ["Authorization"])):
            request.headers.pop(name, None)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpx2 with each step; the steps that open a connection bring its socket."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._is_cut:
                self.cut()


def _payload(model: str, messages: list[Message], options: Options) -> dict[str, Any]:
    """The request's body; what has no effect is left out, since some servers refuse it."""
    payload: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        # Deprecated where `max_completion_tokens` is known, but understood everywhere.
        "max_tokens": options.max_new_tokens,
        "temperature": options.temperature,
    }
    if options.temperature > 0:
        payload["seed"] = options.seed
    if options.stop:
        payload["stop"] = list(options.stop)
    return payload


def _read(chunk: Any) -> tuple[str, str | None]:
    """Text and finish_reason of a chunk; servers also send chunks that have neither."""
    try:
        choices = chunk.get("choices")
        if not choices:
            return "", None
        delta = choices[0].get("delta") or {}
        return delta.get("content") or "", choices[0].get("finish_reason")
    except (AttributeError, LookupError):
        raise NotCompatible(f"a chunk of another form: {chunk!r}") from None


def _end_reason(reason: str) -> EndReason:
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    raise BrokenOff(f"the server ended the answer with {reason!r}")  # e.g. content_filter, abort
