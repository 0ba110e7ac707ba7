"""The facts of a text that can be checked by their form, and whether sources state them. Pure.

What a fact is, and its normal form, is in `mentions`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from .mentions import OTHER, Kind, Mention, mentions


def facts(text: str) -> frozenset[str]:
    """The normal forms of what `text` states; numbers with their units (15日)."""
    found = (each for each in mentions(text) if not each.marks)
    return frozenset(each.value + each.unit * (each.unit != OTHER) for each in found)


def ungrounded(answer: str, sources: Sequence[str]) -> list[str]:
    """The facts of an answer, as written, that no source states.

    A source's number in the other script counts, and so does a part of its date (2024年 of
    2024-03-01), its telephone number without the area code, and the host of its address. Part of
    a number does not (120 of 1200). A number with a unit of a known kind has to have that in a
    source, or none there (30日 is neither 30元 nor 30家). What numbers the answer's own items is no
    fact.
    """
    known = stated(tuple(sources))
    found = (each for each in mentions(answer) if not each.marks and not known.has(each))
    return list(dict.fromkeys(each.text for each in found))


class Stated:
    """What sources state, to be asked whether they have a fact."""

    def __init__(self, sources: Sequence[str]) -> None:
        self.numbers: dict[str, set[str]] = defaultdict(set)
        """The units that each number has, as `Mention` has them."""
        self.others: set[tuple[Kind, str]] = set()
        """What is no plain number, parts of dates and addresses included."""
        for source in sources:
            for mention in mentions(source):
                self._add(mention)

    def has(self, mention: Mention) -> bool:
        """Whether a source states what `mention` does."""
        kind, value = mention.kind, mention.value
        if kind != "number":
            return (kind, value) in self.others or (kind == "date" and self._has_parts(value))
        units = self.numbers.get(value, set())
        return bool(units) and (mention.unit in ("", OTHER) or bool(units & {"", mention.unit}))

    def _has_parts(self, date: str) -> bool:
        """Whether sources give the year and, at another place without a year, the day."""
        year, _, day = date.partition("-")
        return ("date", f"yearless {day}") in self.others and "年" in self.numbers.get(year, set())

    def _add(self, mention: Mention) -> None:
        kind, value = mention.kind, mention.value
        if mention.marks:
            self.others.add(("rank", "第" + value.removeprefix("第")))
        elif kind == "number":
            self.numbers[value].add(mention.unit)
            if mention.unit == "条":
                self.others.add(("rank", "第" + value))
        else:
            self.others.add((kind, value))
            self._add_parts(kind, value)

    def _add_parts(self, kind: Kind, value: str) -> None:
        if kind == "rank":
            self.numbers[value[1:]].add("条")
        elif kind == "date":
            self._add_date(value.split("-"))
        elif kind == "time":
            self._add_time(*map(int, value.split(":")))
        elif kind == "phone":
            self.numbers[value].add("")
            local = re.sub(r"^(0[12]\d(?=\d{8}$)|0[3-9]\d\d)", "", value)
            self.others.add(("phone", local))
            self.numbers[local].add("")
        elif kind == "web":
            self.others.add(("web", re.split(r"[/?#]", value)[0]))

    def _add_date(self, parts: list[str]) -> None:
        units = "年月日" if len(parts[0]) == 4 else "月日"
        for part, unit in zip(parts, units.replace("日", "号"), strict=False):
            self.numbers[part].add(unit)  # the 15th (号) is not 15 days (日)
        if len(parts) == 3:
            self.others |= {("date", "-".join(parts[:2])), ("date", "-".join(parts[1:]))}
        elif units == "月日":
            self.others.add(("date", "yearless " + "-".join(parts)))

    def _add_time(self, hour: int, minute: int) -> None:
        for said in {hour, hour - 12 if hour > 12 else hour}:
            self.numbers[str(said)].add("时")
            self.others.add(("time", f"{said}:{minute}"))
        self.numbers[str(minute)].add("分")


@lru_cache(maxsize=64)
def stated(sources: tuple[str, ...]) -> Stated:
    """What `sources` state; remembered for the last ones."""
    return Stated(sources)
