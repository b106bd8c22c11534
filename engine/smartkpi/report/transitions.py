"""Transitions for people and chat tools: a line each, JSON lines, Markdown, and the bodies that webhooks take.

Bodies: Slack, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks; Teams,
https://learn.microsoft.com/connectors/teams (an adaptive card); Feishu and Lark,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; DingTalk,
https://open.dingtalk.com/document/robots/custom-robot-access.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from smartkpi.report.markdown import escape
from smartkpi.report.style import plain
from smartkpi.report.words import word
from smartkpi.result import Transition

Transitions = Sequence[Transition]


def line(one: Transition, lang: str = "en") -> str:
    """Return a transition in a line: `Conversion, BR: good -> critical since 2026-02 (2026-03: 1.2%). What to do.`"""
    comma, colon = word(lang, "comma"), word(lang, "colon")
    segment = [value if value is not None else word(lang, "none") for value in one.segment.values()]
    names = segment if one.level == "segment" else [word(lang, one.level)] if segment else []
    turn = " -> ".join(word(lang, status) for status in (one.before, one.after) if status is not None)
    parts = [turn if one.before is not None or one.after is None else word(lang, one.after)]
    parts += [word(lang, "resolved")] if one.after is None and not one.reason else []
    parts += (
        [word(lang, "since_period").format(one.since)] if one.since and one.after not in (None, "data_missing") else []
    )
    parts += [f"({one.period}{colon}{one.text})"] if one.period and one.after not in (None, "data_missing") else []
    said = " ".join(text for text in (" ".join(parts), one.reason) if text)
    return plain(f"{comma.join([one.label, *names])}{colon}{said}" + (f". {one.advice}" if one.advice else ""))


def as_data(one: Transition) -> dict[str, Any]:
    """Return a transition as plain data."""
    return {
        "kpi": one.kpi or None,
        "goal": one.goal or None,
        "label": one.label,
        "where": one.where or None,
        "level": one.level,
        "segment": dict(one.segment),
        "from": one.before,
        "to": one.after,
        "since": one.since,
        "period": one.period,
        "value": one.value,
        "text": one.text or None,
        "advice": one.advice or None,
        "reason": one.reason or None,
    }


def _lines(found: Transitions, lang: str) -> str:
    return "".join(f"{line(one, lang)}\n" for one in found)


def _ndjson(found: Transitions, _: str) -> str:
    return "".join(f"{json.dumps(as_data(one), ensure_ascii=False)}\n" for one in found)


def _markdown(found: Transitions, lang: str) -> str:
    return "".join(f"- {escape(line(one, lang))}\n" for one in found)


def _body(found: Transitions, lang: str, shape: Callable[[list[str]], Any]) -> str:
    return json.dumps(shape([line(one, lang) for one in found]), ensure_ascii=False) + "\n" if found else ""


def _slack(lines: list[str]) -> Any:
    safe = (one.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for one in lines)
    return {"text": "\n".join(safe)}


def _teams(lines: list[str]) -> Any:
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": escape(one), "wrap": True} for one in lines],
    }
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [card]}


def _feishu(lines: list[str]) -> Any:
    return {"msg_type": "text", "content": {"text": "\n".join(lines)}}


def _dingtalk(lines: list[str]) -> Any:
    return {"msgtype": "text", "text": {"content": "\n".join(lines)}}


TOOLS: Mapping[str, Callable[[list[str]], Any]] = {
    "slack": _slack,
    "teams": _teams,
    "feishu": _feishu,
    "lark": _feishu,
    "dingtalk": _dingtalk,
}
PLAIN: Mapping[str, Callable[[Transitions, str], str]] = {"table": _lines, "ndjson": _ndjson, "markdown": _markdown}
HOSTS = {
    "hooks.slack.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
    "open.feishu.cn": "feishu",
    "open.larksuite.com": "lark",
    "oapi.dingtalk.com": "dingtalk",
}


def render(found: Transitions, form: str, lang: str) -> str:
    """Return transitions in a format, or as the body for a chat tool; nothing for none."""
    if form in TOOLS:
        return _body(found, lang, TOOLS[form])
    return PLAIN[form](found, lang)


def tool_at(host: str) -> Iterator[str]:
    """Yield the chat tool that a host is of, if it is known."""
    yield from (tool for known, tool in HOSTS.items() if host == known or host.endswith(f".{known}"))
