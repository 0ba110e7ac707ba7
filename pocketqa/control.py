"""What clients ask for beside answers, thin: stop, resume, history, feedback, dialogues."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import request as connection
from flask_socketio import SocketIO

from . import commands, protocol
from .commands import Dialogue, Named
from .delivery import Delivery
from .dialogue import Key, Past
from .errors import PocketQAError, RequestError, fault
from .identity import Ownership
from .replay import Name, Replay, unknown_answer
from .running import Running
from .visitors import Visitor, Visitors

log = logging.getLogger(__name__)

Handler = Callable[[str, Visitor, object], dict[str, Any]]
"""Takes a connection's sid, who it is, and a payload; gives what the acknowledgement says."""


class Control:
    """The handlers of section 6 of the protocol. Each acknowledges, or says what is wrong."""

    def __init__(
        self,
        socketio: SocketIO,
        visitors: Visitors,
        ownership: Ownership,
        running: Running,
        replay: Replay,
        delivery: Delivery,
        past: Past,
    ) -> None:
        self._visitors, self._ownership = visitors, ownership
        self._running, self._replay, self._delivery = running, replay, delivery
        self._past = past
        for event, handle in (
            ("STOP_CS", self.stop),
            ("RESUME_CS", self.resume),
            ("HISTORY_CS", self.history),
            ("FEEDBACK_CS", self.feedback),
            ("DIALOGUES_CS", self.dialogues),
            ("RENAME_CS", self.rename),
            ("DELETE_CS", self.delete),
        ):
            socketio.on_event(event, self._handler(event, handle))

    def stop(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`STOP_CS`: end an answer, or all that runs in a dialogue."""
        wanted = commands.stop(payload, sid)
        if isinstance(wanted, Dialogue):
            stopped = self._stop_dialogue(self._key(sid, visitor, wanted))
            if not stopped:
                raise _nothing_runs("dialogue")
            room, dialogue = wanted.room, wanted.dialogue
            return {"room": room, "dialogue": dialogue, "request_ids": stopped}
        names = self._names(sid, visitor, wanted)
        found = [answer for name in names if (answer := self._running.find(name))]
        for answer in found:
            answer.cancellation.cancel()
        if not found and not self._running.elsewhere.stop(names):
            raise _nothing_runs("request_id")
        return {"request_id": wanted.request_id}

    def resume(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`RESUME_CS`: the frames that were missed, then those that come."""
        wanted = commands.resume(payload)
        named = wanted.answer
        for name in self._names(sid, visitor, named):
            if state := self._replay.state(name):
                break
        else:
            raise unknown_answer()
        self._delivery.resume(sid, name, state, wanted.after)
        if named.room not in ("", sid):
            self._delivery.join(sid, f"room:{named.room}")
        return {
            "request_id": named.request_id,
            "event": state.about.event,
            "room": state.about.room,
            "dialogue": state.about.dialogue,
            "seq": state.seq,
            "ended": state.ended,
        }

    def history(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`HISTORY_CS`: a dialogue's turns, oldest first."""
        page = commands.history(payload, sid)
        key = self._key(sid, visitor, page.dialogue)
        turns = self._past.page(key, page.before, page.limit + 1)
        return {
            "room": page.dialogue.room,
            "dialogue": key.dialogue,
            "turns": [turn.as_json() for turn in turns[-page.limit :]],
            "more": len(turns) > page.limit,
        }

    def feedback(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`FEEDBACK_CS`: what somebody thinks of an answer."""
        said = commands.feedback(payload)
        answer = said.answer
        # A token is for one dialogue, also when the answer is over for long.
        shown = self._ownership.shown(answer.token, visitor.identity) if answer.token else None
        owners = [name.owner for name in self._names(sid, visitor, replace(answer, token=""))]
        if not self._past.vote(owners, answer.request_id, said.vote, said.reason, shown):
            raise _unknown("request_id", "没有这个回答", "there is no such answer")
        return {"request_id": said.answer.request_id, "vote": said.vote}

    def dialogues(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`DIALOGUES_CS`: what this browser or program has begun, the latest first."""
        found = self._past.list(visitor.identity.owner or f"own:{sid}")
        return {
            "dialogues": [
                {
                    "dialogue": each.dialogue,
                    "title": each.title,
                    "created": each.created,
                    "updated": each.updated,
                    "turns": each.turns,
                }
                for each in found
            ]
        }

    def rename(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`RENAME_CS`: another title for a dialogue."""
        wanted = commands.rename(payload, sid)
        if not self._past.rename(self._key(sid, visitor, wanted.dialogue), wanted.title):
            raise _unknown("dialogue", "没有这个对话", "there is no such dialogue")
        return {"dialogue": wanted.dialogue.dialogue, "title": wanted.title}

    def delete(self, sid: str, visitor: Visitor, payload: object) -> dict[str, Any]:
        """`DELETE_CS`: forget a dialogue; what runs in it is stopped."""
        wanted = commands.delete(payload, sid)
        key = self._key(sid, visitor, wanted)
        self._stop_dialogue(key)
        if not self._past.delete(key):
            raise _unknown("dialogue", "没有这个对话", "there is no such dialogue")
        return {"dialogue": wanted.dialogue}

    def _stop_dialogue(self, key: Key) -> list[str]:
        found = self._running.in_dialogue(key)
        for answer in found:
            answer.cancellation.cancel()
        here = [answer.request.request_id for answer in found]
        return [*here, *self._running.elsewhere.stop_dialogue(key)]

    def _key(self, sid: str, visitor: Visitor, wanted: Dialogue) -> Key:
        return self._ownership.find(
            sid, visitor.identity, wanted.dialogue, room=wanted.room, token=wanted.token
        )

    def _names(self, sid: str, visitor: Visitor, named: Named) -> list[Name]:
        """What an answer may be called that this connection names: own, its token's, its rooms'."""
        owners = [f"own:{sid}", *self._delivery.rooms_of(sid)]
        if visitor.identity.owner:
            owners.insert(0, visitor.identity.owner)
        if named.room not in ("", sid):
            self._ownership.check_room(named.room)
            owners.append(f"room:{named.room}")
        if named.token:
            key = self._ownership.shown(named.token, visitor.identity)
            if self._is_in(key, named.request_id):
                owners.append(key.owner)
        return [Name(owner, named.request_id) for owner in dict.fromkeys(owners)]

    def _is_in(self, key: Key, request_id: str) -> bool:
        """Whether an answer, unless it is over for long, is one of a dialogue's.

        A token is made for one dialogue, not for all of its owner's.
        """
        state = self._replay.state(Name(key.owner, request_id))
        return state is None or state.about.dialogue == key.dialogue

    def _handler(self, event: str, handle: Handler) -> Callable[..., dict[str, Any]]:
        def handler(*payload: object) -> dict[str, Any]:
            sid: str = connection.sid  # type: ignore[attr-defined]
            try:
                visitor = self._visitors.of(sid)
                return {"ok": True, **handle(sid, visitor, payload[0] if payload else None)}
            except PocketQAError as error:
                return protocol.refusal(error, self._visitors.lang(sid))
            except Exception:
                failed = fault()
                log.exception("%s failed, reference %s", event, failed.details["reference"])
                return protocol.refusal(failed, self._visitors.lang(sid))

        return handler


def _nothing_runs(field: str) -> RequestError:
    return RequestError(
        "bad_field",
        f"字段 {field}:没有正在进行的回答",
        f"field {field}: no such answer is running",
    )


def _unknown(field: str, zh: str, en: str) -> RequestError:
    return RequestError("bad_field", f"字段 {field}:{zh}", f"field {field}: {en}")
