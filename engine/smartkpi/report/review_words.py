"""What the rules of goals and of the review say, in other languages than English; what lacks words stays English.

Sentences are found by how they read in English; each part in parentheses stands in the other language too, in the
order of its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Sayings = Sequence[tuple[str, str]]

WHYS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "S1": "没有指明指标的目标只能讨论，无法评判。",
        "S2": "没有数字，到期那天谁也说不清目标是否达成。",
        "S3": "大家念出来的是标题；标题少说或另说，就成了两个目标。",
        "S4": "属于两个人的事没人负责：都在等对方。",
        "S5": "条件匹配不到任何行，目标就落空了，多半是拼写有误。",
        "S6": "差了一百倍的目标，要么永远达不到，要么总能达到。",
        "M1": "算不出来的，就无法衡量。",
        "M2": "进展是从基线到目标的路程：缺了基线就无从谈起。",
        "M3": "已经达到的没什么可争取；若要保持，就写明保持。",
        "M4": "数据有缺口，目标就只能凭碰巧有的数据来评判。",
        "M5": "变化再小就与偶然分不开：会把运气当成绩，也会看不见努力。",
        "M6": "不可能的事没人做得到。",
        "M7": "行数太少，目标到期也没有结论。",
        "A1": "达不到的目标，等于告诉大家目标可以不算数。",
        "A2": "从未发生过的事要有理由，否则只是愿望。",
        "A3": "什么都不做也会达到的目标，改变不了什么。",
        "A4": "历史太短，谁也说不清什么算罕见。",
        "R0": "观察不到的，无论怎么定义都无法证明。",
        "R1": "一串理由若无处可去或绕回原处，就不成理由。",
        "R2": "知道目标为了什么，才知道它何时不再重要。",
        "R3": "否则达成一个会让另一个更难。",
        "R5": "在上级目标截止之后到来的，帮不上它。",
        "T1": "总得有时间去达成。",
        "T2": "没有最后一天的目标，永远不会失败，也永远不会达成。",
        "T3": "时间太短来不及反应；一年以后的事眼下没人关心。",
        "T4": "往回走的里程碑，要求的比已达到的还少。",
        "T5": "滚动值有滞后：正常推进的目标会被判为偏离。",
        "T7": "临终挪动的球门把失败变成成功；对照最初目标的结果仍会给出。",
        "T8": "同一个数有两个目标，就会挑合适的那个用。",
        "owner": "它变动时没有人被问到原因，就没有必要看它。",
        "decision": "得不出任何决策的数字，是白费的工作。",
        "description": "没人说得清的，每个人读法都不同。",
        "threshold": "没有阈值，每个读者都要重新决定什么算好。",
        "goal": "不是每个 KPI 都要有目标；但要改变的，就需要目标和日期。",
        "review": "数据、店铺和问题都会变；没人看的定义会悄悄过时。",
        "overlap": "一个数有两个名字会渐行渐远，还会被误加在一起；条件用 `--where` 或按维度来问。",
        "namesake": "在记分卡上谁也分不清两者，引用它的人指的只是其中一个。",
        "deprecated": "它留给了本该离开的人，并且继续出错。",
        "unavailable": "没有数据的 KPI 只会让列表更长。",
        "funnel": "没人说过什么算好的那一步，可能会长期流失。",
        "unmeasured": "记录了却从不统计的，要么是漏斗的缺口，要么可以去掉。",
        "unasked": "没人用的维度，是白白维护。",
    }
}
"""Why a rule is one, by its code."""

FOUND: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "owner": "没有负责人",
        "decision": "没有决策用途",
        "description": "没有说明",
        "threshold": "没有阈值",
        "goal": "没有未到期的目标",
        "review": "复查已过期",
        "overlap": "相同，或是其一部分",
        "namesake": "名称相同",
        "deprecated": "依赖已弃用的 KPI",
        "unavailable": "没有数据",
        "funnel": "没人盯的步骤",
        "unmeasured": "没有 KPI 统计它",
        "unasked": "没人用它",
    }
}
"""What a rule of the review finds, by its code."""

GRAINS = {"hour": "小时", "day": "天", "week": "周", "month": "月", "quarter": "季度", "year": "年"}

SAYINGS: Mapping[str, Sayings] = {
    "zh": (
        (r"no data was read", "没有读取数据"),
        (r"the data cannot be read", "数据无法读取"),
        (r"cannot be told before the error is mended", "先改正错误才能判断"),
        (r"no row fits (`.+`)", "没有行符合 {0}"),
        (r"the baseline will be known when (\S+) is over", "基线要等 {0} 过后才知道"),
        (r"(`.+`) has no value on (\S+)", "{0} 在 {1} 没有值"),
        (r"(`.+`) has no value from (\S+) to (\S+)", "{0} 从 {1} 到 {2} 没有值"),
        (r"a total begins at 0: (.+) is reached already", "累计从 0 开始：{0} 已经达到"),
        (r"without a baseline it cannot be told", "没有基线，无法判断"),
        (r"the baseline is (.+): (.+) is reached already", "基线是 {0}：{1} 已经达到"),
        (r"only (\S+) of the last 28 days have data", "最近 28 天里只有 {0} 有数据"),
        (r"a change of (.+) cannot be told from chance, ±(.+)", "{0} 的变化与偶然（±{1}）分不开"),
        (r"each (\w+) has about (\S+) rows, (\S+) are asked for", "每{0}约有 {1} 行，要求 {2} 行"),
        (r"by the deadline there are about (\S+) rows, (\S+) are asked for", "到期时约有 {0} 行，要求 {1} 行"),
        (r"it cannot be reached any more, even if all that is to come were perfect", "即使今后一切完美，也达不到了"),
        (
            r"it cannot be reached any more, even if all that is to come were perfect: `allow_misses` is (\d+)",
            "即使今后一切完美，也达不到了：`allow_misses` 是 {0}",
        ),
        (r"(.+) lies beyond (.+), the bound that the goal states", "{0} 超出目标自己写的界限 {1}"),
        (
            r"(it|a typical \w+) takes (.+) over (.+), which (.+); at best it was (.+)",
            "{0}需要比{2} {1}，这{3}；最好的一次是 {4}",
        ),
        (r"it", "它"),
        (r"a typical (\w+)", "中等的一{0}"),
        (r"as long before", "之前同样长的时间"),
        (r"the same weekday before", "之前的同一星期几"),
        (r"the same (\w+?)s? a year before", "一年前的同一{0}"),
        (r"the same (\w+?)s? (\d+) years before", "{1} 年前的同一{0}"),
        (r"the (\w+) before", "上一{0}"),
        (r"the \w+ (\d+) (\w+?)s before", "{0} 个{1}之前"),
        (r"has never happened", "从未发生过"),
        (r"has happened in (\S+) of the past", "在过去只有 {0} 的时候发生过"),
        (
            r"each time of (\d+) before it came to as much: whether it always does takes (\d+)",
            "之前 {0} 次每次都达到了：要断定总会达到需要 {1} 次",
        ),
        (
            r"if all goes on as before it is reached anyway, with more than 95 %",
            "如果一切照旧，有超过 95 % 的可能自然达到",
        ),
        (
            r"before the goal there is too little data to know how it goes on, and how far chance goes",
            "目标之前的数据太少，无法知道走势和偶然的幅度",
        ),
        (
            r"before the goal there is (\S+) times its length of data: what is rare takes (\S+)",
            "目标之前的数据只有其时长的 {0} 倍：判断什么算罕见需要 {1} 倍",
        ),
        (
            r"before the goal there \w+ (\d+) whole (\w+?)s? of data: what is rare, and what chance does, takes (\d+)",
            "目标之前有 {0} 个完整的{1}有数据：判断罕见与偶然需要 {2} 个",
        ),
        (
            r"(`.+`) by (\w+) does not add up to its past values; (`.+`) can be told",
            "{0} 按{1}的值加不成过去的值；{2} 可以判断",
        ),
        (r"a pack has no rows: its events are bound where it is included", "指标包没有数据：事件在引用它的项目里绑定"),
        (r"no dataset provides (`.+`): nothing is counted", "没有数据集提供 {0}：什么也数不到"),
        (r"(`.+`) had no row in the last (\d+) days \((.*)\)", "{0} 最近 {1} 天没有一行（{2}）"),
        (r"it has no title: nobody can read it aloud", "没有标题：没人能把它念出来"),
        (r"the title", "标题"),
        (r"the title \((\w+)\)", "标题（{0}）"),
        (r"(the title(?: \(\w+\))?) has (\d+) characters, not (\d+) to (\d+)", "{0}有 {1} 个字符，应为 {2} 到 {3} 个"),
        (r"(the title(?: \(\w+\))?) does not say the target, (.+)", "{0}没有写目标 {1}"),
        (r"(the title(?: \(\w+\))?) does not say the deadline, (\S+)", "{0}没有写截止日 {1}"),
        (r"nobody owns it: when it goes wrong, whom to ask\?", "没有负责人：出了问题该问谁？"),
        (r"(`.+`) are (\d+): which one answers for it\?", "{0} 是 {1} 个人：由哪一位负责？"),
        (r"(`.+`) is shown in percent, (\S+) is (\S+)", "{0} 以百分比显示，{1} 就是 {2}"),
        (r"(.+) is no share: (`.+`) lies between 0% and 100%", "{0} 不是占比：{1} 在 0% 与 100% 之间"),
        (r"(`.+`) is a count: it cannot be (.+)", "{0} 是计数：不可能是 {1}"),
        (r"nothing says what it is for", "没有写明为了什么"),
        (
            r"more of (`\w+`) raises (`\w+`), which (`\w+`) is to (\w+)",
            "{0} 增加会使 {1} 上升，而 {2} 要的是 {3}",
        ),
        (
            r"more of (`\w+`) lowers (`\w+`), which (`\w+`) is to (\w+)",
            "{0} 增加会使 {1} 下降，而 {2} 要的是 {3}",
        ),
        (r"it ends on (\S+), after (`\w+`) on (\S+)", "它在 {0} 截止，晚于 {1} 的 {2}"),
        (r"it takes (\d+) days: nobody works for so far away", "要 {0} 天：没人为这么远的事努力"),
        (r"it has (\d+) (\w+?)s?: over before anybody can react", "只含 {0} 个周期（{1}）：来不及反应就结束了"),
        (r"the value of (\S+), (.+), leads back from (.+)", "{0} 的值 {1} 从 {2} 往回走"),
        (
            r"its window of (\S+) is (\S+) of its (\d+) days: the value lags behind",
            "窗口 {0} 占其 {2} 天的 {1}：值会滞后",
        ),
        (
            r"the revision of (\S+) makes the target easier in the last quarter of the time",
            "{0} 的修订在最后四分之一时间里降低了目标",
        ),
        (
            r"the revision of (\S+) moves the deadline to (\S+) in the last quarter of the time",
            "{0} 的修订在最后四分之一时间里把截止日移到 {1}",
        ),
        (r"(`.+`) is for the same KPI too, from (\S+) to (\S+)", "{0} 也是同一个 KPI 的目标，从 {1} 到 {2}"),
        (r"all together", "全部合计"),
        (r"([+-]?[\d.e+-]+) points", "{0} 个百分点"),
        (r"(.+) and (\d+) more", "{0} 等另外 {1} 个"),
        (r"(.+); such as ([^:]+): (.+)", "{0}；例如 {1}：{2}"),
    )
}
"""What is said of a goal."""

DETAILS: Mapping[str, Sayings] = {
    "zh": (
        (r"never", "从未"),
        (r"was due on (\S+), each (\w+)", "应在 {0} 复查，每 {1} 一次"),
        (r"was due on (\S+)", "应在 {0} 复查"),
        (r"not in (.+)", "缺少语言 {0}"),
        (r"says no more than its name", "只重复了名称"),
        (r"is (`\w+`)", "就是 {0}"),
        (r"is (`\w+`), taken from a number", "是用一个数减去 {0}"),
        (r"is (`\w+`), times a number", "是 {0} 乘以一个数"),
        (r"is (`\w+`) under a condition", "是加了条件的 {0}"),
        (r"is called (`.+`), as is (`\w+`)", "名为 {0}，与 {1} 相同"),
        (r"stands on (`\w+`)", "依赖 {0}"),
        (r"is a goal for (`\w+`)", "是 {0} 的目标"),
        (r"lacks (.+)", "缺少 {0}"),
        (r"has no thresholds, no goal", "没有阈值，也没有目标"),
    )
}
"""What is said of a KPI, an event, a step or a dimension in the review."""


WRITES: Mapping[str, Sayings] = {
    "zh": (
        (r"`kpi check` shows the place", "`kpi check` 会指出位置"),
        (r"where: … with a value that (`.+`) has", "where: …（用 {0} 里有的值）"),
        (r"baseline: a number, or (\{.+\}) with days that have data", "baseline: 一个数，或 {0}（要有数据的日子）"),
        (r"target: above 0", "target: 大于 0"),
        (r"aim: (\w+), to keep it", "aim: {0}（表示保持）"),
        (r"kpi check --data, to see which files or rows are missing", "kpi check --data（看缺哪些文件或行）"),
        (r"target: (\S+) or beyond, or a longer time", "target: {0} 或更远，或更长的时间"),
        (
            r"evidence: \{min_sample: (\d+)\}, or a wider where, or a longer time",
            "evidence: {{min_sample: {0}}}，或放宽 where，或更长的时间",
        ),
        (r"revisions: (\[.+\]), or stage: cancelled", "revisions: {0}，或 stage: cancelled"),
        (r"target: (\S+) at the outside, or other bounds", "target: 最多 {0}，或改界限"),
        (
            r"achievable: \{because: what is new\}, or a nearer target",
            "achievable: {{because: 有什么新情况}}，或更近的目标",
        ),
        (r"achievable: (\{history: \w+\}), with data that goes back so far", "achievable: {0}（数据要有这么久）"),
        (
            r"achievable: (\{history: \w+\}), with data that goes back so far, or a shorter goal",
            "achievable: {0}（数据要有这么久），或更短的目标",
        ),
        (
            r"target: further away, or stage: cancelled and a threshold instead",
            "target: 更远，或 stage: cancelled 并改用阈值",
        ),
        (r"events: (\{.+\}) with a condition that rows fulfil", "events: {0}（条件要有行符合）"),
        (r"target: a value that it can have", "target: 它可能取到的值"),
        (r"why: one sentence, or parent: the goal that it helps", "why: 一句话，或 parent: 它帮助的目标"),
        (r"parent: a goal that it helps, or why: …", "parent: 它帮助的目标，或 why: …"),
        (r"deadline: (\S+), and later a goal for what follows", "deadline: {0}，之后再为后续另设目标"),
        (r"start: an earlier day, or over: smaller periods", "start: 更早的一天，或 over: 更小的周期"),
        (r"milestones: each nearer to the target than the one before", "milestones: 一个比一个更接近目标"),
        (r"leave it out: let this goal end as it ends, and set a new one", "去掉它：让这个目标照常结束，再设新的"),
        (r"parent: (\w+), or stage: cancelled for one of them", "parent: {0}，或其中一个 stage: cancelled"),
        (r"owner: NAME", "owner: 姓名"),
        (r"decision: what is done when it moves", "decision: 它变动时做什么"),
        (r"description: one sentence that a new colleague understands", "description: 新同事也能看懂的一句话"),
        (
            r"goal: \{target: 6%, deadline: 2026-12-31, owner: NAME\}",
            "goal: {{target: 6%, deadline: 2026-12-31, owner: 姓名}}",
        ),
        (r"reviewed: the day on which it was looked over", "reviewed: 复查的日期"),
        (r"keep one name, and ask for the part with --where or --by", "只留一个名字，部分用 --where 或 --by 来问"),
        (r"label: … that tells the one from the other", "label: …（让两者分得开）"),
        (r"formula: with the KPI that is to be used", "formula: 改用应当使用的 KPI"),
        (
            r"datasets: … with its events, or include only what is used",
            "datasets: …（提供它的事件），或只引用用得上的",
        ),
        (
            r"thresholds: or goal: at a KPI of that step, such as its rate",
            "给该步骤的 KPI（如其转化率）写 thresholds: 或 goal:",
        ),
        (r"a KPI that counts it, or take the event out", "写一个统计它的 KPI，或去掉这个事件"),
        (r"by: \[it\] at a KPI that is read so, or take it out", "在按它看的 KPI 上写 by: [它]，或去掉它"),
    )
}
"""The lines to write, where there are words in them."""


def why_text(language: str, code: str, english: str) -> str:
    """Return why a rule is one."""
    return WHYS.get(_family(language), {}).get(code, english)


def found_text(language: str, code: str, english: str) -> str:
    """Return what a rule of the review finds."""
    return FOUND.get(_family(language), {}).get(code, english)


def detail_text(language: str, english: str) -> str:
    """Return what the review says of one thing."""
    return _said(DETAILS.get(_family(language), ()), english) or english


def write_text(language: str, english: str) -> str:
    """Return the line to write."""
    return _said(WRITES.get(_family(language), ()), english) or english


def saying_text(language: str, english: str) -> str:
    """Return what is said of a goal, of its segments too: `BR: it has no title`."""
    sayings = SAYINGS.get(_family(language), ())
    found = _said(sayings, english)
    if found is None and ": " in english:
        name, _, rest = english.partition(": ")
        inner = _said(sayings, rest)
        found = None if inner is None else f"{_said(sayings, name) or name}：{inner}"
    return english if found is None else found


def _said(sayings: Sayings, english: str) -> str | None:
    """Return a sentence by the first pattern that is all of it; its parts too where they are sentences themselves."""
    for pattern, words in sayings:
        if (found := re.fullmatch(pattern, english)) is not None:
            return words.format(*(_part(sayings, one) for one in found.groups()))
    return None


def _part(sayings: Sayings, english: str) -> str:
    if english in GRAINS:
        return GRAINS[english]
    found = _said(sayings, english)
    return english if found is None else found


def _family(language: str) -> str:
    return language.split("-")[0].lower()
