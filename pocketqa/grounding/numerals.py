"""Chinese numerals and what they count. Pure.

一 is mostly no number (一般, 一个人), and other numerals are parts of words too (十分, 万一, 两者).
So a numeral counts where something is counted: see `counts`.
"""

from __future__ import annotations

import re

DIGITS = "零一二三四五六七八九"
CHARACTERS = "零〇一二三四五六七八九十百千万亿两"
"""What numerals are written with."""
_VALUES = {**{char: n for n, char in enumerate(DIGITS)}, "〇": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_FIRM = (
    r"年(?![级度代轻龄])|个?月|日(?![常益])|天(?![然])|个?(?:半)?小时|个?钟头|分钟|秒|周(?![围边转])|个?星期"
    r"|个?季度|周岁|岁|元|块(?!地)|倍|个?工作日|个?学期|个?自然日"
)
_OWN = r"方面|步骤|部分|条件|阶段|环节|要点|要求|类|种|途径|渠道|方式|办法"
_LOOSE = (
    rf"个(?!{_OWN})|次|份|张|套|家|处|本(?!人)|件|寸|页|名|人|口|户|位|折|级|层|号|门|台|辆|公里|千米|米|平方米"
    r"|公斤|千克|斤|吨|亩|度|刻|届|期|批|支|枚|部(?!门)|分(?!别|类|之)|学分|课时"
)
_BEFORE_FIRM = re.compile(_FIRM)
_BEFORE_ANY = re.compile(rf"{_FIRM}|{_LOOSE}")
_NO_RANK = re.compile(r"时间|手|方|者|人")


def value(numeral: str) -> int | None:
    """The number that a numeral writes; None for what is none (万一) or only about one (三四).

    Digits in a row are read one by one: 二〇二四.
    """
    if len(numeral) > 2 and all(char in _VALUES for char in numeral):
        return int("".join(str(_VALUES[char]) for char in numeral))
    return _grouped(numeral)


def _grouped(numeral: str) -> int | None:
    """A numeral with 万 and 亿."""
    for sign, size in (("亿", 10**8), ("万", 10**4)):
        high, found, low = numeral.rpartition(sign)
        if found:
            above, below = _grouped(high), _grouped(low.lstrip("零〇")) if low else 0
            if not above or below is None or below >= size:
                return None
            if len(low) == 1 and below < 10:  # 一万二
                below *= size // 10
            return above * size + below
    return _below_ten_thousand(numeral)


def _below_ten_thousand(numeral: str) -> int | None:
    total, digit, last = 0, None, 10_000
    for at, char in enumerate(numeral):
        if char in "零〇" and len(numeral) > 1:
            if not at or digit is not None:
                return None
            last = min(last, 100)  # so that 二百零五 is not taken for 二百五
            continue
        if char in _VALUES:
            if digit is not None:
                return None
            digit = _VALUES[char]
            continue
        size = _TENS.get(char)
        if size is None or size >= last or (digit is None and (at or char != "十")):
            return None
        total, digit, last = total + (digit or 1) * size, None, size
    if digit is None:
        return total if numeral else None
    colloquial = numeral[-2:-1] in ("百", "千") and len(numeral) > 1
    return total + digit * (last // 10 if colloquial else 1)


def counts(numeral: str, following: str, is_rank: bool = False) -> bool:
    """Whether a numeral counts something that can be checked, given what follows it.

    - After 第 it does, but for 第三者 and the like.
    - 一 does before a unit of time, age or money: 一年, 一个月, not 一个, 一般.
    - Another single character, before those and before what things are counted by: 三个, 两份. Not
      before 种, 方面, 步骤 and such: they count what the speaker lists.
    - A longer one always: 十五, 二百, 二〇二四.
    """
    if value(numeral) is None:
        return False
    if is_rank:
        return not _NO_RANK.match(following)
    if numeral == "一":
        return bool(_BEFORE_FIRM.match(following))
    if len(numeral) > 1:
        return True
    if numeral == "十" and following.startswith("分") and not following.startswith("分钟"):
        return False
    return numeral not in "零〇" and bool(_BEFORE_ANY.match(following))


def written(number: int) -> set[str]:
    """The numerals that write a number below 10^12."""
    plain = _plain(number)
    found = {plain, re.sub("二(?=[千万亿])", "两", plain), re.sub("二(?=[百千万亿])", "两", plain)}
    if plain == "二":
        found.add("两")
    if 1000 <= number < 3000:
        digits = "".join(DIGITS[int(digit)] for digit in str(number))
        found |= {digits, digits.replace("零", "〇")}
    return found


def _plain(number: int) -> str:
    for size, sign in ((10**8, "亿"), (10**4, "万")):
        if number >= size:
            high, low = divmod(number, size)
            joint = "零" if 0 < low < size // 10 else ""
            return _plain(high) + sign + joint + (_plain(low) if low else "")
    text, gap = "", 0
    for size, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + sign
        gap = 0 if digit else 1
    if number < 20 and text.startswith("一十"):
        text = text[1:]
    return text or "零"
