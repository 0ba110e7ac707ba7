"""A constraint for the engine: an answer says only numbers that its sources state. Pure.

Two rules, asked at every token that has to do with numbers. A number, date, time, phone number,
code or address that is still being said must be the beginning of a form of one that the sources
state. One that has been said must be one of them, as `facts` decides it, and its unit with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from . import numerals
from .facts import Stated
from .mentions import Mention, is_listed, marks, mentions, mentions_from, one_form

NEAR = 6
"""Characters after a number that may still change what it is: 30个工作日."""
_HAN = f"[{numerals.CHARACTERS}]"
_ABOUT_NUMBERS = re.compile(rf"[0-9０-９半第@.%：{numerals.CHARACTERS}]|[Hh][Tt][Tt][Pp]|[Ww]{{3}}")
_INSIDE = "".join(map(chr, range(33, 127))) + numerals.CHARACTERS + "第半年月分之 "
"""What stands within a number, date or address."""
_OPEN = re.compile(
    r"(?<![A-Za-z0-9.@/+-])(?:(?P<web>(?:https?|www)[!-~]*|[A-Za-z0-9._+-]+@[!-~]*"
    r"|(?:[A-Za-z0-9-]+\.)+(?:com|cn|net|org|gov|edu|info|top|io)(?![A-Za-z0-9])[!-~]*)"
    r"|(?P<code>[A-Za-z]+-?\d[A-Za-z0-9-]*))$"
    rf"|(?P<date>(?<![0-9]){_HAN}{{4}}年(?:{_HAN}{{0,3}}|{_HAN}{{1,3}}月{_HAN}{{0,3}})"
    rf"|(?<!{_HAN}){_HAN}{{1,3}}月{_HAN}{{1,3}}"
    r"|(?<![0-9])(?:\d{4}年(?:\d{0,2}|\d{1,2}月\d{0,2})|\d{1,2}月\d{1,2}))$"
    rf"|(?P<fraction>(?:{_HAN}+|\d+)分之(?:{_HAN}|[0-9.])*)$"
    rf"|(?P<number>第?[(+]?\d(?:[0-9,.:/~()-]|(?<=\d) |{_HAN})*)$"
    rf"|(?P<numeral>第?{_HAN}+)$",
)
_RAW = re.compile(rf"第?\d[0-9,.:/~-]*\d|第?{_HAN}+|\d")
_JOINT = re.compile(r"(?<!\d{7})-|[~/ ]")  # after a phone number - joins an extension
_LATER_A_WORKDAY = re.compile(r"[个0-9两十百零一二三四五六七八九](工作?)$")


class NumbersFrom:
    """Lets an answer say the numbers of its sources, as facts of `sources` are told from others.

    In either script, with a list's own numbers besides (1. 2. 3.), and 一 where it counts nothing.
    A numeral that is no number in the sources (五险一金, 两者) may be said as such.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._stated = Stated(sources)
        self._numerals = sorted({run for source in sources for run in _runs(source)})
        self._forms = sorted(set(_forms(sources, self._stated)))

    def allows(self, said: str, addition: str) -> bool:
        """Whether an answer that began with `said` may go on with `addition`."""
        if not _ABOUT_NUMBERS.search(said[-NEAR:] + addition):
            return True
        if not addition:  # the beginning of a character: seldom a digit, so the number ends here
            return self.may_end(said)
        text = one_form(said + addition)
        opened = _OPEN.search(text, len(text.rstrip(_INSIDE)))
        begin = opened.start() if opened else len(text)
        if opened and not self._may_become(opened, text):
            return False
        return self._states(text, len(said) - NEAR, begin)

    def may_end(self, said: str) -> bool:
        """Whether what was said last is said to its end."""
        return self._states(one_form(said), len(said) - NEAR - 200, len(said) + 1, is_end=True)

    def _states(self, text: str, since: int, until: int, is_end: bool = False) -> bool:
        """Whether the sources state what was said, as far as it ends after `since`."""
        start = max(text.rfind(sign, 0, max(0, since)) for sign in "。，；\n") + 1
        if not is_end and (workday := _LATER_A_WORKDAY.search(text)):
            text += "工作日"[len(workday[1]) :]
        for mention in mentions_from(start, text, text):
            end = mention.begin + len(mention.text)
            if mention.begin >= until:
                break
            if end > since and not mention.marks and not self._stated.has(mention):
                if is_end or end < len(text) or not self._may_be_age(mention):
                    return False
        return True

    def _may_be_age(self, mention: Mention) -> bool:
        """16周 may become 16周岁."""
        units = self._stated.numbers.get(mention.value, set())
        return mention.unit == "周" and "岁" in units

    def _may_become(self, opened: re.Match[str], text: str) -> bool:
        """Whether what is being said is the beginning of something that the sources state."""
        form, begin = opened[0].lower(), opened.start()
        if self._begins(form):
            return True
        if opened.lastgroup == "numeral":
            return self._may_be_said(form, text, begin)
        if opened.lastgroup == "number":
            bare = form.removeprefix("第")
            is_own = marks(text + "、", begin + len(form) - len(bare)) or is_listed(text, begin)
            return is_own or form[-1] in ".,: )" and marks(text, begin) or self._fits(form)
        return False

    def _may_be_said(self, numeral: str, text: str, begin: int) -> bool:
        """Whether a numeral that begins no number of the sources may be said all the same."""
        if numeral == "一" or _begins(self._numerals, numeral) or is_listed(text, begin):
            return True
        step = text + ("步" if numeral.startswith("第") else "、")
        return marks(step, begin + numeral.startswith("第"))

    def _fits(self, form: str) -> bool:
        """Whether `form` is a whole one, or two (20-50), the second perhaps not whole yet."""
        if form[-1] in ".,:()" and self._is_whole(form[:-1]):
            return True
        return any(
            self._is_whole(form[: joint.start()])
            and (not (rest := form[joint.end() :]) or self._begins(rest))
            for joint in _JOINT.finditer(form)
        )

    def _begins(self, form: str) -> bool:
        return _begins(self._forms, form)

    def _is_whole(self, form: str) -> bool:
        place = bisect_left(self._forms, form)
        return self._forms[place : place + 1] == [form]


def _begins(forms: list[str], form: str) -> bool:
    """Whether one of the sorted `forms` begins with `form`."""
    place = bisect_left(forms, form)
    return place < len(forms) and forms[place].startswith(form)


def _runs(source: str) -> list[str]:
    """Numbers and numerals as a source writes them, those that count nothing included."""
    return _RAW.findall(one_form(source))


def _forms(sources: Sequence[str], stated: Stated) -> Iterator[str]:
    """The forms in which the facts of the sources may be said."""
    for source in sources:
        for mention in mentions(source):
            yield one_form(mention.text).lower()
    for number, units in stated.numbers.items():
        yield from _number_forms(number)
        if "%" in units or "" in units:
            yield from (f"百分之{form}" for form in _number_forms(number))
    years = [year for year, units in stated.numbers.items() if "年" in units and len(year) == 4]
    for kind, value in stated.others:
        if kind == "date":
            yield from _date_forms(value, years)
        elif kind == "time":
            yield from _time_forms(*map(int, value.split(":")))
        elif kind == "rank":
            yield from (f"第{form}" for form in _number_forms(value[1:]))
        elif kind == "phone":
            yield from _phone_forms(value)
        elif kind == "web":
            yield from (value, f"http://{value}", f"https://{value}")
        else:
            yield value


def _number_forms(number: str) -> Iterator[str]:
    yield number
    if not number.isdecimal() or number != str(int(number)) or len(number.rstrip("0")) > 6:
        return  # nobody writes such a number out
    value = int(number)
    yield from numerals.written(value)
    yield f"{value:,}"
    for sign, size in (("万", 10**4), ("亿", 10**8)):
        if value >= size and value % (size // 100) == 0:
            yield f"{value / size:.2f}".rstrip("0").rstrip(".") + sign


def _date_forms(value: str, years: list[str]) -> Iterator[str]:
    if value.startswith("yearless "):
        day = value.removeprefix("yearless ")
        for year in years:
            yield from _date_forms(f"{year}-{day}", [])
        return
    parts = value.split("-")
    units = "年月日" if len(parts[0]) == 4 else "月日"
    for script in (lambda part: {part}, lambda part: numerals.written(int(part))):
        texts = [""]
        for part, unit in zip(parts, units, strict=False):
            texts = [text + form + unit for text in texts for form in script(part)]
        yield from texts
    padded = [part.zfill(2) for part in parts]
    if units == "年月日" and len(parts) == 3:
        yield from (joint.join(form) for joint in "-/." for form in (parts, padded))
    yield "".join(part + unit for part, unit in zip(padded, units, strict=False))


def _time_forms(hour: int, minute: int) -> Iterator[str]:
    yield f"{hour}:{minute:02}"
    yield f"{hour:02}:{minute:02}"


def _phone_forms(number: str) -> Iterator[str]:
    yield number
    if area := re.match(r"0[12]\d(?=\d{8}$)|0[3-9]\d\d", number):
        yield f"{area[0]}-{number[area.end() :]}"
    elif number[0] in "48" and len(number) == 10:
        yield f"{number[:3]}-{number[3:6]}-{number[6:]}"
