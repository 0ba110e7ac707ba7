"""Malformed payloads and the error code that each must get."""

from __future__ import annotations

import json
from typing import Any

OK = {"text": "身份证丢了应该怎么办?"}
DEEP = "[" * 20_000 + "]" * 20_000

MALFORMED: list[tuple[str, Any, str]] = [
    ("nothing", None, "bad_payload"),
    ("a number", 42, "bad_payload"),
    ("a fraction", 4.2, "bad_payload"),
    ("true", True, "bad_payload"),
    ("a list", ["身份证"], "bad_payload"),
    ("an empty list", [], "bad_payload"),
    ("an empty string", "", "bad_payload"),
    ("plain text", "身份证丢了应该怎么办?", "bad_payload"),
    ("broken JSON", '{"text": "身份证', "bad_payload"),
    ("JSON of a number", "42", "bad_payload"),
    ("JSON of a list", '[{"text": "a"}]', "bad_payload"),
    ("JSON of null", "null", "bad_payload"),
    ("JSON twice encoded", json.dumps(json.dumps(OK)), "bad_payload"),
    ("JSON nested deeply", '{"text": ' + DEEP + "}", "bad_payload"),
    ("JSON with a huge number", '{"text": "a", "room": ' + "9" * 5000 + "}", "bad_payload"),
    ("an empty object", {}, "bad_field"),
    ("no text", {"room": "hall"}, "bad_field"),
    ("text null", {"text": None}, "bad_field"),
    ("text a number", {"text": 7}, "bad_field"),
    ("text a list", {"text": ["a"]}, "bad_field"),
    ("text an object", {"text": {"text": "a"}}, "bad_field"),
    ("text empty", {"text": ""}, "bad_field"),
    ("text blank", {"text": " \n\t\u3000"}, "bad_field"),
    ("text a lone surrogate", '{"text": "\\ud83d"}', "bad_field"),
    ("text of 4,001 characters", {"text": "问" * 4_001}, "text_too_long"),
    ("text of 500 kB", {"text": "a" * 500_000}, "text_too_long"),
    ("text of 500 kB in JSON", json.dumps({"text": "问" * 170_000}), "text_too_long"),
    ("room a list", {**OK, "room": ["hall"]}, "bad_field"),
    ("room true", {**OK, "room": True}, "bad_field"),
    ("room too long", {**OK, "room": "r" * 201}, "bad_field"),
    ("room with a control character", {**OK, "room": "a\u0000b"}, "bad_field"),
    ("room a lone surrogate", '{"text": "a", "room": "\\udc00"}', "bad_field"),
    ("dialogue an object", {**OK, "dialogue": {}}, "bad_field"),
    ("upload_id a list", {**OK, "upload_id": []}, "bad_field"),
    ("upload unknown", {**OK, "upload_id": "nowhere"}, "unknown_upload"),
    ("stream a string", {**OK, "stream": "false"}, "bad_field"),
    ("stream a number", {**OK, "stream": 0}, "bad_field"),
    ("request_id too long", {**OK, "request_id": "x" * 201}, "bad_field"),
    ("token a number", {**OK, "token": 1}, "bad_field"),
    ("token forged", {**OK, "token": "WyJvd246YSIsImEiXQ.forged"}, "bad_field"),
    ("received unknown", {**OK, "received": "some"}, "bad_field"),
    ("received a list", {**OK, "received": []}, "bad_field"),
]
