"""Follow-ups: the query that a question of a dialogue stands for. Pure, and no model is asked.

Term-based, as historical query expansion (Yang et al. 2019) and QuReTeC (Voskarides et al. 2020)
are, with lists of closed classes in place of learned weights. The words of a question are function
words, aspects (what it costs, what to bring), circumstances (丢, 过期, 老人) and, open class, the
matter. A question that names a matter stands by itself. Another takes the matter of the last turn
that named one; its aspect too, if it asks about no aspect of its own (那外地人呢?).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .analysis import clean, words
from .dialogue import Turn

_OPENER = re.compile(
    r"^(?:那么?(?![个边里些])|那个[,，、 ]|然后|还有(?:就是|个事|一个)?|另外(?:呢|再)?|哦?对了|再(?=问)|"
    r"还想(?=问)|我?(?:还|再)?想?(?:请|咨询|再)?问(?:一下|下|问)?|顺便|接着(?=问)|ok|okay|and|also|then|so|"
    r"well|but|please)[,，、:：。 ]*",
)
_PHRASES = (
    # Questions, modals, conditions and tone: any question may hold them.
    "请问 一下 怎么办 怎么样 怎么弄 怎么 怎样 如何 咋办 咋整 咋弄 咋样 咋 什么 啥 哪些 哪个 哪种 "
    "是不是 有没有 能不能 可不可以 要不要 用不用 可以 可否 能否 是否 需要 应该 应当 必须 一定 "
    "行不行 行吗 行不 真的 确定 现在 一般 到底 究竟 如果 要是 万一 假如 的话 还是 我们 你们 咱们 "
    "自己 快点 马上 一个 一张 一次 这样 那样 这个 那个 这种 那种 这些 那些 这边 那边 刚才 上面 "
    "前面 上述 他们 她们 它们 换成 改成 刚刚 最多 最少 最低 最高 一直 已经 没有 为什么 为啥 干嘛 "
    "干什么 怎么回事 单独 一起 忘了 接着 情况 时候 事情 用的 不行 不能 想要 想 "
    "办理 办好 申请 申领 提交 准备 提供 收到 进行"
).split()
_ASPECTS = (
    "多少钱 费用 手续费 工本费 收费 收不收费 收钱 交钱 花钱 要钱 免费 价格 价钱 几块钱 多少 材料 资料 "
    "证件 手续 东西 流程 步骤 程序 多久 多长时间 多长 几天 多少天 几个月 几年 多少年 几号 什么时候 "
    "啥时候 啥时 何时 时限 期限 有效期 时间 时效 哪里 哪儿 哪办 去哪 在哪 哪 地点 地址 部门 找谁 谁 本人 亲自 "
    "到场 代办 委托 条件 要求 资格 比例 标准 额度 几分 拿到手 拿到 下来 到账 批下来 出结果 结果 "
    "后果 合法 违法 补偿 赔偿 义务 权利 内容 利息 年龄 照片 好处 一年 每年 每月"
).split()
_CIRCUMSTANCES = (
    "外地人 外地 本地人 本地 国外 国内 小孩子 小孩 孩子 娃 老人 老年人 大人 学生 军人 当兵 外国人 "
    "残疾人 农民工 男的 女的 男 女 单位 公司 老板 学校 家里 家人 家属 爸妈 父母 对方 别人 朋友 亲友 找人 "
    "普通人 临时 丢失 遗失 弄丢 丢掉 损坏 坏掉 被偷 过期 到期 逾期 超期 不服 反悔 后悔 不同意 同意 "
    "提前 补办 补领 换领 延期 急用 急事 材料不全 没带齐 不够 中途 工资 里面 领证"
).split()
_SINGLES = "的地得了着过吗呢啊呀吧嘛么哦哈不没未无有要能会可去来到在是就都也还又再很太对用从按给让把和跟这那它他她我你您几个带拿管被"


def _any(phrases: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, phrases), key=len, reverse=True))


_FUNCTION = re.compile(rf"(?:{_any(_PHRASES)}|[{_SINGLES}])+")
_ASPECT = re.compile(rf"{_any(_ASPECTS)}")
_ASPECT_WORD = re.compile(rf"(?:{_any(_ASPECTS)}|{_any(_PHRASES)}|[{_SINGLES}])+")
_CIRCUMSTANCE = re.compile(
    rf"[{_SINGLES}]*(?:{_any(_CIRCUMSTANCES)}|(?![税房车店])[\u4e00-\u9fff])[{_SINGLES}]*"
)
_CONTRAST = re.compile(r"^(?:如果|要是)?(?:换成|改成|要是|如果)?([^,，。?？]{1,8}?)的?呢$|^(?:换成|改成)(.{1,8})$")
_POINTS = re.compile(r"它|[他她](?!人)|这[个种证里边些]|那[个种证里边些]|上述|刚才|上面|其中|里面|\bit\b|\bthat\b|\bthis\b")
_CONDITION = re.compile(r"如果|要是|万一|假如|的话|\bif\b")
_TAIL = re.compile(r"[\s?？!！。.,，啊呀呐哦吧嘛哈]+$")
_ENGLISH = frozenset(
    """
    a an the is are do does did can could may must i we you it that this there to for of in on at
    me my what which who whom where when why how much many long often about after before if need
    needed have has take takes get go cost costs free documents document papers fee fees be will
    should or and please same also
    """.split()
)


@dataclass(frozen=True)
class Reading:
    """What a question is made of.

    Attributes:
        rest: the question without the opener that joins it on to what was said.
        matter: the parts that name what it is about.
        circumstances: the parts that only say who, or what has happened.
        aspect: whether it asks about an aspect, such as cost, time, place.
    """

    rest: str
    matter: tuple[str, ...]
    circumstances: tuple[str, ...]
    aspect: bool
    opened: bool


def read(question: str) -> Reading:
    """Take a question apart."""
    text = rest = _TAIL.sub("", clean(question).strip())
    while (shorter := _OPENER.sub("", rest)) != rest and shorter:
        rest = shorter
    matter: list[str] = []
    circumstances: list[str] = []
    end = -1
    alone = False
    last: list[str] = matter
    for word, begin, stop, _ in words(rest):
        if word in _ENGLISH or _FUNCTION.fullmatch(word) or _ASPECT_WORD.fullmatch(word):
            continue
        kind = circumstances if _CIRCUMSTANCE.fullmatch(word) else matter
        single = len(word) == 1
        if begin == end and last and not (kind is circumstances and not single):
            # Neighbours are one part: the matter 结婚登记, whatever the dictionary cuts it into.
            if last is circumstances and (kind is matter or (alone and single)):
                matter.append(circumstances.pop() + word)
                last = matter
            else:
                last[-1] += word
        else:
            kind.append(word)
            last = kind
        alone = single
        end = stop
    return Reading(
        rest, tuple(matter), tuple(circumstances), bool(_ASPECT.search(rest)), rest != text
    )


MODE = {"parts": "both", "evidence": True, "replace": "surety", "gain": 0.0, "drop": 0.1}


@dataclass(frozen=True)
class Topic:
    """What is being talked about: the parts of the matter, and the last question put in full."""

    parts: tuple[str, ...]
    whole: str


Surety = Callable[[str], float]


def standalone(question: str, history: Sequence[Turn], surety: Surety | None = None) -> str:
    topic = None
    for turn in history:
        if turn.grounded:
            topic = _follow(topic, turn.question, surety)
    if topic is None:
        return question
    return _follow(topic, question, surety).whole


def _follow(topic, question, surety):
    asked = read(question)
    if topic is None:
        return Topic(_parts(asked), asked.rest)
    x = contrast(asked)
    if x is not None:
        return _contrast(topic, asked, x, surety)
    if asked.matter:
        joined = _join(topic, asked)
        if (
            MODE["evidence"]
            and surety
            and _is_marked(asked)
            and surety(joined) > surety(asked.rest) + MODE["gain"]
        ):
            return Topic(topic.parts, joined)
        return Topic(_parts(asked), asked.rest)
    return Topic(topic.parts, _join(topic, asked))


def _is_marked(asked):
    return asked.opened or _POINTS.search(asked.rest) or _CONDITION.search(asked.rest)


def _parts(asked):
    if MODE["parts"] == "matter":
        return asked.matter
    return asked.matter + tuple(c for c in asked.circumstances if MODE["parts"]!="listed" or _LISTED.search(c))
_LISTED = re.compile(_any(_CIRCUMSTANCES) + "|[丢掉补换退转坏修]")


def _join(topic, asked):
    rest = _POINTS.sub("", asked.rest)
    if MODE["parts"] == "whole" or not (asked.aspect or asked.circumstances):
        return f"{rest} {topic.whole}"
    more = ' '.join(p for p in topic.parts if p not in rest)
    return f"{more} {rest}" if MODE.get("first") else f"{rest} {more}"


def contrast(asked):
    found = _CONTRAST.match(asked.rest)
    if not found or asked.aspect or _CONDITION.search(asked.rest):
        return None
    if len(asked.matter) + len(asked.circumstances) != 1:
        return None
    return (asked.matter + asked.circumstances)[0]


def _contrast(topic, asked, x, surety):
    add = Topic(topic.parts, f"{x} {topic.whole}")
    if not asked.matter and x not in ("国外", "国内", "临时"):
        return add
    options = []
    whole = read(topic.whole)
    pieces = [p for p in whole.matter + whole.circumstances]
    tokens = [w for p in pieces for w, *_ in words(p) if len(w) > 1]
    for old in dict.fromkeys([*pieces, *tokens]):
        parts = tuple(p.replace(old, x) for p in topic.parts)
        options.append((Topic(parts, topic.whole.replace(old, x)), old))
    if MODE["replace"] == "surety" and surety:
        best = max(options, key=lambda o: surety(o[0].whole), default=None)
        if best and surety(best[0].whole) > surety(add.whole) + MODE["drop"]:
            return best[0]
        return add
    if MODE["replace"] == "suffix":
        for o, old in options:
            if old[-1] == x[-1]or old[0]==x[0]:
                return o
    return add
