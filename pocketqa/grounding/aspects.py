"""What kind of thing a question asks for (an amount, a time, a phone number), and whether a text
has one. Pure.

The patterns are closed and shy: a question that matches none asks for nothing in particular, and
a text has a kind where anything in it could be one. So that what is said to be absent is absent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from .mentions import mentions, one_form

Kind = Literal[
    "money", "duration", "date", "hours", "phone", "web", "address", "age", "percent", "article"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMES: dict[Kind, tuple[str, str]] = {
    "money": ("金额", "an amount"),
    "duration": ("时限", "a time limit"),
    "date": ("日期", "a date"),
    "hours": ("办公时间", "opening hours"),
    "phone": ("电话号码", "a phone number"),
    "web": ("网址", "a web address"),
    "address": ("具体地址", "an address"),
    "age": ("年龄", "an age"),
    "percent": ("比例", "a rate"),
    "article": ("条文序号", "the number of an article"),
}
"""What a kind is called, in Chinese and English."""

_WHAT = (
    r"(?:是|为|要|得|需要?|大概|大约|一般|具体|分别|又|到底|收|交|缴|付){0,3}(?:多少|几|什么|啥)"
)
_ASKED: tuple[tuple[Kind, str], ...] = (
    (
        "phone",
        r"(?:电话|热线|手机号|联系方式)(?:号码|号)?(?:是|为)?(?:多少|什么|几|哪个|[?？]|$)"
        r"|(?:打|拨打|拨)(?:什么|哪个|多少|几)\S{0,4}(?:电话|号|热线)|phone number|which number",
    ),
    (
        "web",
        r"(?:网址|链接|邮箱|域名|e-?mail)(?:地址)?(?:是|为)?(?:多少|什么|哪个|哪|[?？]|$)"
        r"|官网(?:地址)?(?:是|为)?(?:多少|什么|[?？]|$)|web ?site address|\burl\b|e-?mail address",
    ),
    (
        "article",
        r"第几条|哪一?条(?:规定|法律|法条)?|第几款|which article",
    ),
    (
        "percent",
        rf"百分之(?:几|多少)|(?:比例|利率|税率|费率|百分比){_WHAT}|what (?:percentage|rate)",
    ),
    (
        "age",
        r"(?:多少|几)(?:周岁|岁)|多大(?:年龄|年纪|岁数)|年龄(?:要求|限制|条件)?(?:是|为)?多[少大]"
        r"|how old",
    ),
    (
        "money",
        r"多少(?:钱|元|块|押金|费用|工本费|手续费|罚款|补贴|补助|租金)|几(?:块|元)钱?"
        rf"|(?:费用?|价格|价钱|金额|工本费|收费标准|押金|罚款|租金|补贴|补助){_WHAT}"
        r"|how much (?:is|does|do|are|will|money)|what (?:is|are) the (?:fee|cost|price|charge)",
    ),
    (
        "hours",
        r"几点|(?:上班|下班|办公|开放|营业|工作|开门|关门|服务|受理|接待)时间(?:是|为)?"
        r"(?:什么|多少|几点|怎么|怎样|[?？]|$)|opening hours|office hours|what time",
    ),
    (
        "address",
        r"(?:地址|门牌号?)(?:是|为|在)?(?:多少|什么|哪里|哪儿|哪|[?？]|$)|在(?:什么|哪条)(?:路|街)"
        r"|what is the address",
    ),
    (
        "duration",
        r"多久|多长时间|(?:几|多少)个?(?:天|日|工作日|年|小时|分钟|星期|周)(?![岁代级号份前后])"
        r"|(?:几|多少)个月"
        r"|(?:时限|期限|有效期|时间)(?:是|为|要|大概|一般|具体){0,2}(?:多少|多长|几)"
        r"|how long|how many (?:days|months|years|weeks|hours)",
    ),
    (
        "date",
        r"哪一?年|哪一?天|几月|几号(?!线|楼)|几几年|什么日期|哪个日期"
        r"|截止(?:日期|时间)(?:是|为)?(?:什么|多少|哪|几|[?？]|$)"
        r"|(?:什么时候|何时)(?:开始)?(?:施行|实施|生效|截止)|what date|which (?:day|year)|deadline",
    ),
)
_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ASKED)
_UNITS: dict[Kind, frozenset[str]] = {
    "money": frozenset("元 % 倍".split()),
    "duration": frozenset("年 个月 月 日 工作日 小时 时 分 秒 周".split()),
    "date": frozenset("年 月 日 号".split()),
    "hours": frozenset("时 分 小时".split()),
    "age": frozenset({"岁"}),
    "percent": frozenset("% 倍".split()),
}
_MARKS: dict[Kind, str] = {
    "money": r"免费|免[收缴交征]|不收|不需要?交|无需缴|不缴|[\d一二三四五六七八九十百千万亿]\s*"
    r"(?:余|多)?(?:元|圆|块|角|分钱|美元|美金|英镑|欧元|日元|卢布|马克|法郎|两|文|贯|钱)|万元|亿元|[¥￥$£€]",
    "duration": r"每[周月年天日季]|定期|期间|当场|当天|当日|即时|立即|即刻|随时|现场办|终身"
    r"|终生|长期|永久|半年|一生|世纪|至今|年代|全年|整年"
    r"|[\d一二三四五六七八九十百两半数几]\s*(?:多|余|几)?\s*个?(?:天|日|夜|晚|年|载|月"
    r"|周(?!岁)|星期|礼拜|小时|钟头|时|刻|分|秒|季|学期|代|day|week|month|year|hour|minute|second)",
    "date": r"之日|年|月|[初末]|上旬|中旬|下旬|世纪|时期|时代|当天|次日|[昨今明]天|星期"
    r"|周[一二三四五六日末]|节|\d{3,4}|day|january|february|march|april|may|june|july|august|september|october|november",
    "hours": r"[点时]|小时|上午|下午|早上|晚|凌晨|中午|全天|\d:\d|a\.?m|p\.?m",
    "phone": r"\d{3,}",
    "web": r"(?!)",
    "address": r"[路街道巷弄号楼室村镇乡区县市省州国湾港岛山]|地址|road|street|avenue",
    "age": r"岁|成年|出生|生于|年[龄纪]\D{0,4}\d|\d{1,3}\s*years",
    "percent": r"%|％|‰|分之|[\d一二三四五六七八九两]成|半|倍|折|比率|\d:\d|全部|per ?cent",
    "article": r"第\s*[\d一二三四五六七八九十百千零〇两]+\s*[条款]|article \d",
}
_MARKED = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _MARKS.items()}
_OTHER_QUESTION = re.compile(r"谁|怎么|如何|合法|吗[?？]?$")
_SETTLED = re.compile(
    r"(?:没有|未)(?:统一|写明|规定|明确)|由[^。；，]{2,25}(?:确定|制定|规定|批准)"
)
"""A text that says who settles it, or that nobody has, answers the question."""
_OF_OTHERS: dict[Kind, frozenset[str]] = {
    "date": frozenset({"date"}),
    "duration": frozenset({"date"}),
    "hours": frozenset({"time"}),
    "phone": frozenset({"phone"}),
    "web": frozenset({"web"}),
    "percent": frozenset({"fraction"}),
}


def asks_for(question: str) -> Kind | None:
    """The kind of thing that a question asks for in so many words; None where it is not clear."""
    plain = one_form(question).strip()
    if _OTHER_QUESTION.search(plain):
        return None
    return next((kind for kind, pattern in _PATTERNS if pattern.search(plain)), None)


def has(kind: Kind, texts: Sequence[str]) -> bool:
    """Whether one of `texts` states something that could be of this kind."""
    return any(_has(kind, text) for text in texts)


def _has(kind: Kind, text: str) -> bool:
    if _SETTLED.search(text) or _MARKED[kind].search(one_form(text)):
        return True
    units, others = _UNITS.get(kind, frozenset()), _OF_OTHERS.get(kind, frozenset())
    return any(
        mention.kind in others or mention.kind == "number" and mention.unit in units
        for mention in mentions(text)
        if not mention.marks
    )
