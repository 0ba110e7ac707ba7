"""What the words of a question do in it. Closed classes are listed; the matter is all the rest.

Function words (怎么, 可以) any question may hold. Aspects (费用, 在哪) are what can be asked about
any matter. Circumstances (老人, 丢失) say for whom it is, or what has happened. A word that a
follow-up may consist of belongs in its class here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .analysis import clean, words

_FUNCTION = """
    请问 一下 怎么 怎样 怎么样 怎么办 怎么弄 怎么回事 如何 咋 咋办 咋整 咋弄 咋样 什么 啥 哪些
    哪个 哪种 为什么 为啥 干嘛 干什么 是不是 有没有 能不能 可不可以 要不要 用不用 行不行 行吗
    行不 可以 可否 能否 是否 需要 应该 应当 必须 一定 真的 确定 绝对 现在 一般 到底 究竟 如果
    要是 万一 假如 的话 还是 我们 你们 咱们 他们 她们 它们 自己 快点 马上 一个 一张 一次 一点
    一分钱 这样 那样 这个 那个 这种 那种 这些 那些 这边 那边 这期间 刚才 刚刚 上面 前面 上述
    里面 其中 换成 改成 最多 最少 最低 最高 一直 已经 没有 不行 不能 不用 想要 想 单独 一起 忘了
    接着 情况 时候 事情 以后 之后 之前 然后 另外 还有 办理 办好 申请 申领 提交 准备 提供 收到
    进行 麻烦 知道 告诉 了解 咨询 谢谢 好的 具体 详细 详细点 说 说说 再说 一遍 听懂 看懂 懂 意思
    明白 问下 问问 假的 最快 最慢 下次 接下来
""".split()
_SINGLE = (
    "的地得了着过吗呢啊呀吧嘛么哦哈不没未无有要能会可去来到在是就都也还又再很太对用从按给让把和跟"
    "这那它他她我你您几个带拿管被哪谁啥钱办天"
)
_ASPECTS = """
    多少 多少钱 费用 手续费 工本费 收费 收不收费 收钱 交钱 花钱 要钱 免费 价格 价钱 几块钱 材料
    资料 证件 照片 原件 复印件 手续 东西 流程 步骤 程序 多久 多长 多长时间 几天 多少天 几个月
    几年 多少年 一年 每年 每月 几号 几点 几次 几岁 多大 什么时候 啥时候 啥时 何时 时限 期限
    有效期 时间 时效 年限 年龄 哪 哪里 哪儿 哪办 去哪 在哪 地点 地址 电话 窗口 网上 部门 找谁 谁
    本人 亲自 到场 代办 委托 预约 邮寄 加急 条件 要求 资格 比例 标准 额度 上限 几分 拿到 拿到手
    下来 到账 批下来 出结果 结果 进度 后果 影响 罚款 处罚 责任 合法 违法 犯法 有效 补偿 赔偿
    义务 权利 内容 利息 好处 用处 作用 区别 依据 规定 查询 周末 上班 下班 手机 微信 支付宝 限制
    优惠 分期 盖章 法律 坐牢 拘留 负责 投诉 举报 申诉 起诉 复议 维权 撤销 撤回 取消
""".split()
_CIRCUMSTANCES = """
    外地 外地人 本地 本地人 异地 国外 国内 农村 城里 小孩 小孩子 孩子 娃 未成年 未成年人 成年人
    大人 老人 老年人 学生 军人 当兵 外国人 外籍 残疾 残疾人 农民工 孕妇 男的 女的 男方 女方 单位
    公司 老板 学校 员工 职工 个人 家里 家人 家属 爸妈 父母 爸爸 妈妈 儿子 女儿 老公 老婆 丈夫
    妻子 夫妻 双方 一方 对方 别人 朋友 亲友 亲戚 找人 普通人 临时 首次 再次 第一次 第二次 丢失
    遗失 弄丢 丢掉 损坏 坏掉 被偷 过期 到期 逾期 超期 不服 反悔 后悔 同意 不同意 拒绝 提前 补办
    补领 换领 延期 续期 急用 急事 没空 没带齐 不全 不够 写错 填错 中途 去世 生病 工资 领证
""".split()
_ENGLISH = frozenset(
    """
    a an the is are was do does did can could may must will would should i we you it they that this
    there to for of in on at by me my your what which who whom where when why how much many long
    often about after before since until if or and also please same really sure need needed have
    has take takes get go be apply cost costs free fee fees pay documents document papers office
    """.split()
)


def _any(phrases: Sequence[str]) -> str:
    """A pattern of any of `phrases`, the longest first."""
    return "|".join(sorted(map(re.escape, phrases), key=len, reverse=True))


_IS_FILLER = re.compile(rf"(?:{_any([*_FUNCTION, *_ASPECTS])}|[{_SINGLE}])+")
# A lone character is a verb as a rule (丢, 补, 退); those that are not name a matter.
_IS_CIRCUMSTANCE = re.compile(
    rf"[{_SINGLE}]*(?:{_any(_CIRCUMSTANCES)}|(?![税房车店])[\u4e00-\u9fff])[{_SINGLE}]*"
)
_IS_LISTED = re.compile(_any(_CIRCUMSTANCES))
_ASKS_ASPECT = re.compile(rf"{_any(_ASPECTS)}|\b(?:how|where|when|who|what|cost|free)\b")
_OPENER = re.compile(
    r"(?:(?:好的?|嗯+|哦|行|明白了?|知道了|谢谢)(?=[,、。! ])"
    r"|那么?(?![个边里些种])|那个[,、 ]|然后|还有(?:就是|个事|一个问题)?|另外(?:呢|再)?|哦?对了"
    r"|(?:我?还?再?想)?(?:再|请|咨询)?问(?:一?下|问)?|顺便|接着(?=问)"
    r"|(?:ok|okay|and|also|then|so|well|but|thanks)\b)[,、:。 ]*"
)
_CLOSER = re.compile(r"[\s?!。.,、啊呀呐哦吧嘛哈]+$")


@dataclass(frozen=True)
class Reading:
    """What a question is made of.

    Attributes:
        rest: the question less the words that only join it on (那, 另外问一下), cleaned.
        matter: its parts that name what it is about.
        circumstances: its parts that say for whom it is, or what has happened.
        aspect: whether it asks about an aspect, such as cost, time or place.
        opener: the words that join it on.
    """

    rest: str
    matter: tuple[str, ...]
    circumstances: tuple[str, ...]
    aspect: bool
    opener: str


def read(question: str) -> Reading:
    """Take a question apart."""
    text = rest = _CLOSER.sub("", clean(question).strip())
    while (opener := _OPENER.match(rest)) and opener.end() < len(rest):
        rest = rest[opener.end() :]
    matter: list[str] = []
    circumstances: list[str] = []
    last, last_end, last_single = matter, -1, False
    for word, begin in words(rest):
        if _is_filler(word):
            continue
        kind = circumstances if _is_circumstance(word) else matter
        single = len(word) == 1
        if begin != last_end or (kind is circumstances and not single):
            kind.append(word)
            last = kind
        elif last is circumstances and (kind is matter or (single and last_single)):
            # Neighbours are one part: words that the dictionary does not know fall to pieces.
            matter.append(circumstances.pop() + word)
            last = matter
        else:
            last[-1] += word
        last_end, last_single = begin + len(word), single
    aspect = bool(_ASKS_ASPECT.search(rest))
    return Reading(rest, tuple(matter), tuple(circumstances), aspect, text.removesuffix(rest))


def is_guess(circumstance: str) -> bool:
    """Whether only its one character makes it a circumstance (腥, 天气), and no list."""
    return not _IS_LISTED.search(circumstance)


def _is_filler(word: str) -> bool:
    # No filler is longer; and a pattern of overlapping phrases must not be let loose on more.
    return word in _ENGLISH or (len(word) <= 8 and bool(_IS_FILLER.fullmatch(word)))


def _is_circumstance(word: str) -> bool:
    return len(word) <= 8 and bool(_IS_CIRCUMSTANCE.fullmatch(word))
