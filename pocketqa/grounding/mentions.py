"""Where a text states what can be checked by its form: numbers, dates, times, phone numbers,
addresses of the web, codes and numbers of articles. Pure.

Everything has a normal form, the same in both scripts: 十五日 and 15日 are `15` `日`, 12,000 and
1.2万 are `12000`, 2024-03-01 and 2024年3月1日 are `2024-3-1`, 第十二条 is `第12`. See
`numerals.counts` for which Chinese numerals are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from . import numerals

Kind = Literal["number", "rank", "fraction", "date", "time", "phone", "web", "code"]

_HAN = f"[{numerals.CHARACTERS}]"
_NUM = rf"(?:\d{{1,4}}|{_HAN}{{1,5}})"
_ONE_FORM = str.maketrans(
    "０１２３４５６７８９：．％－–—―‐‑−～／＋＠（）萬億兩", "0123456789:.%-------~/+@()万亿两"
)
_UNITS = (
    ("工作日", r"个?工作日"),
    ("元", r"元|块(?!地)|圆|人民币"),
    ("年", r"年(?![级度])"),
    ("个月", r"个月"),
    ("月", r"月"),
    ("日", r"个?自然日|日|天"),
    ("小时", r"个?小时|个?钟头"),
    ("时", r"时(?![间候])|点(?=[前后钟半到至以整开]|\d|$)"),
    ("分", r"分(?![之别类])"),
    ("秒", r"秒"),
    ("岁", r"周?岁"),
    ("周", r"周|个?星期"),
    ("%", r"[%％]"),
    ("倍", r"倍"),
    ("条", r"条|款|项"),
    ("号", r"号(?![线码])"),
)
OTHER = "个"
"""The unit of what counts anything else: 1200家, 3份."""
_UNIT = re.compile(r"\s?[多余]?(?:" + "|".join(f"({form})" for _, form in _UNITS) + ")")
_FORMS: tuple[tuple[str, str], ...] = (
    (
        "web",
        r"(?:https?://|www\.)[!-~]+"
        r"|[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
        r"|(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:com|cn|net|org|gov|edu|info|top|io)"
        r"(?![A-Za-z0-9])(?:/[!-~]*)?",
    ),
    (
        "phone",
        r"(?<!\d)(?:(?:\+?86[- ]?)?1\d\d[- ]?\d{4}[- ]?\d{4}|\(?0\d{2,3}[)\- ]{1,2}\d{7,8}"
        r"(?:-\d{1,6})?|[48]00(?:-\d{3}-?\d{4}|-\d{4}-\d{3}|\d{7}))(?!\d)",
    ),
    (
        "date",
        r"(?<![\d-])[12]\d{3}(?P<gap>[-/.])(?:0?[1-9]|1[0-2])(?P=gap)(?:[12]\d|3[01]|0?[1-9])"
        r"(?![\d-])"
        rf"|{_NUM}年{_NUM}月(?:{_NUM}[日号])?|{_NUM}月{_NUM}[日号]",
    ),
    (
        "time",
        r"(?<![\d:])(?:[01]?\d|2[0-4]):[0-5]\d(?!\d)"
        rf"|{_NUM}[时点](?:{_NUM}分(?!钟)|半)",
    ),
    ("code", r"(?<![A-Za-z0-9])[A-Za-z]+-?\d[A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"),
    ("fraction", rf"(?:{_HAN}+|\d+)分之(?:{_HAN}+|\d+(?:\.\d+)?)"),
    (
        "number",
        r"第?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[十百千万亿]+(?![米克瓦]))?"
        rf"|第?{_HAN}+|半(?=年|个?月|个?小时|天|日)",
    ),
)
_MENTION = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _FORMS))
_COUNTS_OTHER = re.compile(r"[A-Za-z\u4e00-\u9fff](?<![至到和或及与以的])")
_PARTS = re.compile(rf"\d+|{_HAN}+|半")
_MARKER = re.compile(
    rf"(?:^|(?<=[\n:;；。，,、]))[ \t]*(?:[-*•]+[ \t]*)?"
    rf"(?P<shape>第|\(|)(?P<number>\d{{1,2}}|{_HAN}{{1,3}})"
    r"(?:\)|[.、:](?!\d)|(?<=第\d)[步，,]|(?<=第[一二三四五六七八九])[步，,])",
    re.MULTILINE,
)
_BEFORE_MARKERS = "\n\t :;；。，,、-*•第("
_LISTED = re.compile(r"(?:以下|下列|如下|上述|[这那])$")
_LISTS = re.compile(r"[个种类项点份步条大]|方面")


@dataclass(frozen=True)
class Mention:
    """A fact where a text states it.

    Attributes:
        value: its normal form, without the unit.
        unit: what a number counts, of a few kinds: 元, 日, 月, ...; `OTHER` for anything else, `''`
            for nothing.
        text: as written, with the unit.
        begin: its place in the text.
        marks: it only numbers an item of a list.
    """

    kind: Kind
    value: str
    unit: str
    text: str
    begin: int
    marks: bool = False


def one_form(text: str) -> str:
    """`text` with the usual digits and signs for full-width and traditional ones, as long."""
    return text.translate(_ONE_FORM)


def mentions(text: str) -> Iterator[Mention]:
    """The facts that `text` states, in their order."""
    return mentions_from(0, one_form(text), text)


def mentions_from(begin: int, plain: str, text: str) -> Iterator[Mention]:
    """The facts that `text`, which is `plain` in one form, states from `begin` on."""
    for found in _MENTION.finditer(plain, begin):
        kind, begin, end = found.lastgroup, found.start(), found.end()
        form = found[0]
        if kind == "gap":
            kind = "date"
        if kind == "web":
            form = form.rstrip(".,;:!?)'\"")
            end = begin + len(form)
        value = _VALUE[str(kind)](form, plain, begin, end)
        if value is None:
            continue
        unit = ""
        if kind == "number":
            unit, end = _unit(plain, begin, end)
        if kind == "fraction" and value.endswith("/100"):
            kind, value, unit = "number", value.removesuffix("/100"), "%"
        is_rank = form.startswith("第")
        if is_rank:
            kind, unit = "rank", ""
        name: Kind = kind  # type: ignore[assignment]
        yield Mention(name, value, unit, text[begin:end], begin, marks(plain, begin + is_rank))


def _number(form: str, plain: str, begin: int, end: int) -> str | None:
    if form == "半":
        return "0.5"
    rank, body = ("第", form[1:]) if form.startswith("第") else ("", form)
    after = plain[end : end + 5]
    if is_listed(plain, begin) and _LISTS.match(after):
        return None  # 以下三项: the speaker's own count
    if not body[0].isdigit():
        if not (marks(plain, begin + len(rank)) or numerals.counts(body, after, bool(rank))):
            return None
        value = numerals.value(body)
        return None if value is None else f"{rank}{value}"
    digits, sign = re.fullmatch(r"([\d,.]+)(\D*)", body).groups()  # type: ignore[union-attr]
    factor = numerals.value("一" + sign) if sign else 1
    if factor is None:
        return None
    return rank + decimal(digits.replace(",", ""), factor)


def decimal(digits: str, factor: int = 1) -> str:
    """One form of a decimal number; what is no quantity (0571) keeps its zeros."""
    if factor == 1 and "." not in digits and digits[0] == "0" and len(digits) > 2:
        return digits
    return f"{(Decimal(digits) * factor).normalize():f}"


def _integer(part: str) -> int | None:
    return int(part) if part.isdecimal() else numerals.value(part)


def _date(form: str, plain: str, begin: int, end: int) -> str | None:
    parts = [_integer(part) for part in _PARTS.findall(form)]
    if None in parts:
        return None
    return "-".join(map(str, parts))


def _time(form: str, plain: str, begin: int, end: int) -> str | None:
    parts = [30 if part == "半" else _integer(part) for part in _PARTS.findall(form)]
    return None if None in parts else f"{parts[0]}:{parts[1]}"


def _fraction(form: str, plain: str, begin: int, end: int) -> str | None:
    below, above = form.split("分之")
    size = numerals.value("一" + below) if below in ("百", "千", "万") else _integer(below)
    share = decimal(above) if above[0].isdigit() else numerals.value(above)
    return None if size is None or share is None else f"{share}/{size}"


def _phone(form: str, plain: str, begin: int, end: int) -> str:
    return re.sub(r"^86(?=1\d{10}$)", "", re.sub(r"\D", "", form))


def _web(form: str, plain: str, begin: int, end: int) -> str:
    return re.sub(r"^https?://", "", form.lower()).rstrip("/")


_VALUE = {
    "number": _number,
    "date": _date,
    "time": _time,
    "fraction": _fraction,
    "phone": _phone,
    "web": _web,
    "code": lambda form, plain, begin, end: form.lower().replace("-", ""),
}


def _unit(plain: str, begin: int, end: int) -> tuple[str, int]:
    """What a number counts, and where that ends."""
    found = _UNIT.match(plain, end)
    if found and found.lastindex:
        return _UNITS[found.lastindex - 1][0], found.end()
    if begin and plain[begin - 1] in "¥￥$":
        return "元", end
    return OTHER if _COUNTS_OTHER.match(plain, end) else "", end


def is_listed(plain: str, begin: int) -> bool:
    """Whether before `begin` stands what announces the speaker's own list: 以下, 这."""
    return bool(_LISTED.search(plain, max(0, begin - 2), begin))


def marks(plain: str, begin: int) -> bool:
    """Whether the number at `begin` only numbers an item of a list."""
    before = plain[begin - 1 : begin] if begin else ""
    return (not before or before in _BEFORE_MARKERS) and begin in _markers(plain)


@lru_cache(maxsize=64)
def _markers(plain: str) -> frozenset[int]:
    """Where numbers stand that only number the items of a list: from one on, without a gap."""
    last: dict[tuple[str, bool], int] = {}
    places = set()
    for found in _MARKER.finditer(plain):
        number = _integer(found["number"])
        key = (found["shape"], found["number"].isdecimal())
        if number is not None and number in (1, last.get(key, 0) + 1):
            last[key] = number
            places.add(found.start("number"))
    return frozenset(places)
