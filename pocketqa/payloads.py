"""Reading what clients send: an object, and its fields one by one.

What breaks a rule raises `RequestError`: `bad_payload`, or `bad_field` with the field and the rule.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import RequestError

MAX_NAME = 200
"""Characters in a room, a dialogue, an upload or a request id."""
MAX_TOKEN = 1_000

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a pair: no character, and nothing that can be encoded."""
_INVISIBLE = re.compile("[\x00-\x1f\x7f]")


def as_object(payload: object) -> dict[str, Any]:
    """The object that a payload is, or that it holds as JSON; all below read its fields."""
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            payload = None
    if not isinstance(payload, dict):
        raise RequestError(
            "bad_payload",
            '请求应为对象，或该对象的 JSON 字符串，例如 {"text": "…"}',
            'the payload must be an object, or a string of JSON that holds one: {"text": "…"}',
        )
    return payload


def string(fields: dict[str, Any], key: str, limit: int) -> str:
    """A text of at most `limit` characters; `''` where there is none."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit or SURROGATE.search(value):
        raise bad_field(
            key, f"应为不超过 {limit} 个字符的字符串", f"a string of at most {limit} characters"
        )
    return value


def name(fields: dict[str, Any], key: str) -> str:
    """A room, dialogue, upload or request id. A number is taken as its text."""
    value = fields.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        fields = {key: _number_text(key, value)}
    name = string(fields, key, MAX_NAME)
    if _INVISIBLE.search(name):
        raise bad_field(key, "不能含控制字符", "no control characters")
    return name


def flag(fields: dict[str, Any], key: str, *, default: bool) -> bool:
    """True or false."""
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_field(key, "应为 true 或 false", "true or false")
    return value


def whole(fields: dict[str, Any], key: str, default: int | None, low: int, high: int) -> int | None:
    """A whole number from `low` to `high`."""
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise bad_field(key, f"应为 {low} 到 {high} 的整数", f"a whole number from {low} to {high}")
    return value


def bad_field(key: str, zh: str, en: str) -> RequestError:
    """The error of a field that breaks its rule."""
    return RequestError("bad_field", f"字段 {key}:{zh}", f"field {key}: {en}")


def _number_text(key: str, value: int | float) -> str:
    try:
        return str(value)
    except ValueError:  # int of more digits than Python converts
        raise bad_field(key, f"应为不超过 {MAX_NAME} 位", f"at most {MAX_NAME} digits") from None
