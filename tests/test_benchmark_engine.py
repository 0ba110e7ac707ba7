"""`benchmarks/engine.py`: what it makes of deltas, and the prompts that it asks. No engine runs."""

from __future__ import annotations

import sys

import pytest
from servers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import engine_figures as figures
from engine_figures import Stream
from engine_plot import stream_points
from engine_prompts import FULL, FULL_ANSWER, PREFILL, Messages, Prompts, fitted

from pocketqa.prompt import EN, ZH


def spoken(start: float, step: float, n: int, text: str = "字") -> Stream:
    """`n` deltas of one text, the first at `start`, one each `step` seconds."""
    return Stream(tuple((start + i * step, text) for i in range(n)))


def count_chat(messages: Messages) -> int:
    """A token a character."""
    return sum(len(each["content"]) for each in messages)


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return Prompts(count_chat)


def test_a_stream_tells_what_had_come_and_when() -> None:
    stream = Stream(((0.5, "请带"), (0.7, "身份证")))
    assert (stream.text, stream.first, stream.last) == ("请带身份证", 0.5, 0.7)
    assert stream.until(0.6) == "请带"


def test_a_stream_without_text_has_no_first_token() -> None:
    assert Stream(()).first == float("inf") and Stream(()).last == 0


def test_decoding_is_timed_after_the_first_delta() -> None:
    late = spoken(9.0, 0.1, 41)
    assert figures.decode_rate([late], len) == pytest.approx(10)
    assert figures.decode_rate([late, spoken(1.0, 0.3, 41)], len) == pytest.approx(5)


def test_tokens_of_the_first_delta_do_not_count() -> None:
    stream = Stream(((1.0, "字" * 30), *spoken(1.1, 0.1, 20).deltas))
    assert figures.decode_rate([stream], len) == pytest.approx(10)


def test_too_few_tokens_make_no_rate() -> None:
    assert figures.decode_rate([spoken(1.0, 0.1, 5)], len) is None
    assert figures.decode_rate([Stream(())], len) is None


def test_several_streams_are_counted_while_all_decode() -> None:
    early, late = spoken(1.0, 0.1, 50), spoken(3.0, 0.1, 50)
    assert figures.steady_rate([early, late], len) == pytest.approx(20, rel=0.06)


def test_streams_in_turn_are_counted_over_the_whole_time() -> None:
    in_turn = [spoken(1.0, 0.1, 41), spoken(6.0, 0.1, 41)]
    assert figures.steady_rate(in_turn, len) == pytest.approx(82 / 10)
    assert figures.wall_rate(in_turn, len) == pytest.approx(82 / 10)


def test_what_repeats_and_what_is_copied_is_told() -> None:
    assert figures.repeated("办理身份证。" * 10) > 0.85
    assert figures.repeated("申请材料要当场核对清楚") == 0
    assert figures.copied("三十日内申请换领", "应当在有效期满前三十日内申请换领新证") == 1
    assert figures.copied("三十日内申请换领", "别的内容") == figures.copied("", "别的内容") == 0


def test_ratios_pair_the_values_of_a_round() -> None:
    readings = {"free": {"ours": [40.0, 90.0, 20.0], "llama.cpp": [20.0, 30.0, 10.0]}}
    assert figures.ratio(readings, "free", "ours", "llama.cpp") == 2
    assert figures.ratio(readings, "free", "ours", "transformers") is None
    assert figures.ratio(readings, "prefill", "ours", "llama.cpp") is None


@pytest.mark.parametrize(
    ("tensors", "read"),
    [
        ({"token_embd.weight": 90, "output.weight": 140, "blk.0.ffn_up.weight": 10}, 150),
        ({"token_embd.weight": 90, "blk.0.ffn_up.weight": 10}, 100),
    ],
)
def test_an_embedding_counts_only_where_it_is_the_output_matrix_too(
    tensors: dict[str, int], read: int
) -> None:
    assert figures.bytes_per_token(tensors) == read


def test_targets_say_what_was_asked_and_seen() -> None:
    readings = {
        "free": {"ours": [39.0], "llama.cpp": [30.0]},
        "prefill": {"ours": [300.0], "llama.cpp": [150.0]},
        "second_turn": {"ours": [0.1]},
        "peak_mb": {"ours": [1600.0]},
    }
    verdicts = {each.label.split(",")[0]: each for each in figures.targets(readings)}
    assert verdicts["one stream of free text"].verdict == "yes"
    assert verdicts["prefill"].verdict == "no"
    assert verdicts["one grounded answer"].verdict == "not measured"
    assert (verdicts["second turn"].asked, verdicts["second turn"].verdict) == ("≤ 0.15", "yes")
    assert (verdicts["peak memory"].seen, verdicts["peak memory"].verdict) == (1.6, "no")
    table = figures.target_table(list(verdicts.values()))
    assert "| prefill, times llama.cpp | ≥ 2.5 | 2.00 | no |" in table


def test_the_table_has_ratios_beside_medians() -> None:
    readings = {"free": {"ours": [30.0, 60.0, 45.0], "llama.cpp": [30.0, 30.0, 30.0]}}
    table = figures.figure_table(readings, {"free": "free text", "x": "–"}, ["ours", "llama.cpp"])
    assert table.splitlines()[2:] == ["| free text | 45.0 (1.50) | 30.0 |"]


def test_the_plot_has_a_point_for_each_number_of_streams() -> None:
    readings = {
        "streams_8": {"ours": [90.0, 80.0, 100.0]},
        "streams_8_wall": {"ours": [50.0]},
        "streams_1": {"ours": [20.0], "llama.cpp": [10.0]},
    }
    assert stream_points(readings, "ours") == [(1, 20.0), (8, 90.0)]


def test_a_text_is_fitted_to_the_character() -> None:
    assert fitted("一二三四五", lambda part: len(part) <= 3) == "一二三"
    assert fitted("一二", lambda part: True) == "一二"
    assert fitted("一二", lambda part: not part) == ""


def test_long_prompts_have_their_length_and_a_beginning_of_their_own(prompts: Prompts) -> None:
    one, two = prompts.prefill(1000), prompts.prefill(1001)
    assert count_chat(one.messages) == count_chat(two.messages) == PREFILL
    assert one.messages[0]["content"][:4] != two.messages[0]["content"][:4]
    full = prompts.full(4000)
    assert count_chat(full.messages) + full.max_new_tokens == FULL
    assert full.max_new_tokens == FULL_ANSWER


def test_grounded_prompts_are_those_of_the_service(prompts: Prompts) -> None:
    for request in prompts.grounded(6):
        system, user = request.messages
        assert system["content"] in (ZH.chat, EN.chat)
        assert user["content"].startswith("材料:\n问：")
    assert count_chat(prompts.first_token(3, 300).messages) <= 300


def test_a_second_turn_goes_on_or_differs_from_its_first_character(prompts: Prompts) -> None:
    first = prompts.first_turn(2000)
    seen, unseen = (prompts.second_turn(first, "先预约。", mark) for mark in (2000, 3000))
    assert seen.messages[:2] == first.messages
    assert unseen.messages[0]["content"][:4] != seen.messages[0]["content"][:4]
    assert unseen.messages[1:] == seen.messages[1:]
    assert len(unseen.messages[0]["content"]) == len(seen.messages[0]["content"])


def test_free_texts_are_all_different(prompts: Prompts) -> None:
    asked = [each.messages[-1]["content"] for each in prompts.free(16, 96)]
    assert len(set(asked)) == 16 and len(prompts.free(20, 96)) == 20
