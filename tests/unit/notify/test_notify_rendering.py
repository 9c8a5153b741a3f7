"""Wordings: what they may contain, and what becomes of them."""

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.domain import rendering
from notify.domain.facts import NOTIFIABLE, Value, samples
from notify.domain.names import METRICS, metric_name
from notify.domain.wording import WORDING, PublishWording
from notify.seeds import SEEDS
from opsledger_events import event_class
from opsledger_runtime.errors import Invalid

BREACH = "sla.SLABreached.v1"
SHANGHAI = ZoneInfo("Asia/Shanghai")
NAMES = {"recipient_name": "李伟", "team_name": "网络组", "assignee_name": "李伟", "requester_name": "王芳"}


def filled(source: str, **values: str | int | bool) -> str:
    subject, _ = rendering.render(source, "x", values)
    return subject


@pytest.mark.parametrize(
    "hostile",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% for a in number %}x{% endfor %}",
        "{{ 'x' * 999999999 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 7 // 0 }}",
        "{{ number.__class__.__mro__ }}",
        "{{ number['__class__'] }}",
        "{{ ''.__class__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self }}{{ self.__init__ }}",
        "{{ range(3) }}",
        "{{ lipsum(n=10000) }}",
        "{{ number | center(999999999) }}",
        "{{ number | replace('', 'aaaaaaaaaaaaaaaa') | replace('', 'aaaaaaaaaaaaaa') }}",
        "{{ number | indent(99999999) }}",
        "{{ number | attr('__class__') }}",
        "{{ [number] | map('upper') }}",
        "{{ '%99999999d' | format(1) }}",
        "{{ '%99999999d' % 1 }}",
        "{% set x = number ~ number %}{{ x }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{{ unknown_value }}",
        "{{ number",
        "{% if %}",
        "{{ number | no_such_filter }}",
        "{{ number is divisibleby(3) }}",
        "{{ number | truncate(1) }}",
        "{{ " + "(" * 5000 + "number" + ")" * 5000 + " }}",
        "{{ " + "not " * 2000 + "number }}",
        "{{ " + "-" * 4000 + "1 }}",
    ],
)
def test_a_hostile_wording_is_refused_at_once(hostile: str) -> None:
    started = time.perf_counter()
    with pytest.raises(Invalid) as refused:
        rendering.check("ok", hostile, [BREACH])
    assert refused.value.errors[0].pointer == "/body"
    assert time.perf_counter() - started < 2.0


def test_source_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid):
        rendering.check("ok", "x" * (rendering.BODY_SOURCE + 1), [BREACH])
    with pytest.raises(Invalid):
        rendering.check("x" * (rendering.SUBJECT_SOURCE + 1), "ok", [BREACH])


@pytest.mark.parametrize(("subject", "body"), [("", "x"), ("x", ""), (" \n", "x"), ("{{ assignee }}", "x")])
def test_an_empty_subject_or_body_is_refused(subject: str, body: str) -> None:
    with pytest.raises(Invalid):
        rendering.check(subject, body, [BREACH])


def test_huge_output_is_cut() -> None:
    _, body = rendering.render("s", "{{ title }}" * 800, {"title": "长" * 2000})
    assert len(body) == rendering.BODY_LENGTH
    assert body.endswith("…")
    assert len(filled("{{ title }}", title="长" * 2000)) == rendering.SUBJECT_LENGTH


def test_a_value_is_text_and_never_a_template() -> None:
    assert filled("{{ title }}", title="{{ 7 * 7 }} <b>&") == "{{ 7 * 7 }} <b>&"


@given(st.text(max_size=80))
def test_a_subject_never_holds_a_line_break_or_control(text: str) -> None:
    found = filled("{{ title }}", title=text)
    assert not any(ord(character) < 32 or character in "\x7f\x85\u2028\u2029" for character in found)
    found.encode()


def test_a_title_cannot_start_another_header() -> None:
    assert filled("{{ t }}", t="a\r\nBcc: evil@example.com\n\nbody") == "a Bcc: evil@example.com body"


def test_chinese_text_with_wide_spaces_and_joined_emoji_stays_as_it_is() -> None:
    text = "工单　已处理，谢谢！👩‍💻 “好”"
    assert filled("{{ t }}", t=text) == text
    assert rendering.render("x", "{{ t }}", {"t": text})[1] == text


def test_instants_are_shown_in_the_stated_zone_with_offset() -> None:
    values = rendering.context({"due_at": "2026-11-22T05:00:00Z", "number": "INC1"}, NAMES, SHANGHAI)
    assert values["due_at"] == "2026-11-22 13:00:00 +08:00"
    assert values["time_zone"] == "Asia/Shanghai"
    newfoundland = rendering.context({"due_at": "2026-11-22T05:00:00Z"}, {}, ZoneInfo("America/St_Johns"))
    assert newfoundland["due_at"] == "2026-11-22 01:30:00 -03:30"
    assert rendering.context({"found_at": "杭州"}, {}, SHANGHAI)["found_at"] == "杭州"


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.key)
def test_every_seed_says_what_happened_in_both_languages(seed: object) -> None:
    for language, subject, body in seed.texts():  # type: ignore[attr-defined]
        for values in samples(seed.event_type):  # type: ignore[attr-defined]
            title, text = rendering.render(subject, body, rendering.context(values, NAMES, SHANGHAI))
            assert str(values["number"]) in title or str(values["number"]) in text
            assert "李伟" in text
            assert "Asia/Shanghai" in text
            assert ("您" in text) is (language == "zh-CN")
            assert "\n\n\n" not in text


METRIC_WORDS = {
    "response": ("响应", "response"),
    "contact": ("首次联系", "contact with the requester"),
    "ownership": ("认领", "ownership"),
    "update": ("进展反馈", "update to the requester"),
    "workaround": ("临时措施", "workaround"),
    "resolution": ("解决", "resolution"),
    "nonsense": ("nonsense", "nonsense"),
}
WHOSE = {
    "sla": ("", ""),
    "ola": (
        "\n这是远航网络的内部目标（OLA），不是对客户的承诺。\n",
        "\nThis is an internal target (OLA) of 远航网络, not a promise to the customer.\n",
    ),
    "uc": (
        "\n这是供应商团队远航网络按支持合同（UC）承诺的目标，由服务台跟进。\n",
        "\nThis is what the vendor's team 远航网络 has promised by contract (UC); the service desk follows it up.\n",
    ),
}
DUE = "2026-11-22 13:00:00 +08:00"


@pytest.mark.parametrize("metric", METRIC_WORDS)
@pytest.mark.parametrize("kind", WHOSE)
def test_notices_of_clocks_name_the_promise_and_whose_it_is_in_both_languages(kind: str, metric: str) -> None:
    (zh, en), whose = METRIC_WORDS[metric], WHOSE[kind]
    wanted = {
        "sla-warning": (
            (
                f"预警：INC0000042 的{zh}时限已用 75%",
                f"事件单 INC0000042 的{zh}时限已用去 75%，到期时间为 {DUE}。请尽快处理。",
            ),
            (
                f"warning: INC0000042 has used 75% of its time for {en}",
                f"75% of the time for {en} of incident INC0000042 has passed. It is due at {DUE}.",
            ),
        ),
        "sla-breached": (
            (f"超时：INC0000042 的{zh}时限已过", f"事件单 INC0000042 的{zh}时限已于 {DUE} 到期，未能按时完成。"),
            (
                f"breached: INC0000042 missed its time for {en}",
                f"Incident INC0000042 did not meet its time for {en}, which ended at {DUE}.",
            ),
        ),
        "sla-breach-withdrawn": (
            (
                f"超时通知已撤销：INC0000042 的{zh}时限",
                f"事件单 INC0000042 的{zh}时限（到期时间 {DUE}）：\n此前的超时通知已撤销："
                "按目前的记录以及所适用的协议和日历，在该时间并未超时。当前到期时间以系统显示为准。",
            ),
            (
                f"breach notice withdrawn: time of INC0000042 for {en}",
                f"The earlier notice that incident INC0000042 had missed its time for {en} (due at {DUE}) is "
                "withdrawn: by what is recorded now, and by the agreement and calendar that apply now, it was not "
                "overdue at that time. The system shows when it is due now.",
            ),
        ),
    }
    for seed in [found for found in SEEDS if found.key in wanted]:
        example = event_class(seed.event_type).example
        for at, (language, subject, body) in enumerate(seed.texts()):
            said = {**samples(seed.event_type)[0], **example, "kind": kind, "metric": metric, "party": "vendor-x"}
            names = {**NAMES, "party_name": "远航网络", "metric_name": metric_name(metric, language)}
            title, text = rendering.render(subject, body, rendering.context(said, names, SHANGHAI))
            first, opening = wanted[seed.key][at]
            assert title == f"{kind.upper()} {first}"
            about = "\n标题：" if language == "zh-CN" else "\nTitle: "
            assert text.split("\n\n", 1)[1].startswith(f"{opening}\n{whose[at]}{about}"), text


def test_both_languages_name_the_same_metrics() -> None:
    assert METRICS["zh-CN"].keys() == METRICS["en"].keys() == METRIC_WORDS.keys() - {"nonsense"}


def test_a_withdrawal_claims_no_more_than_is_known() -> None:
    """A late report, another calendar or other terms show that it was not overdue then; it may be overdue by now."""
    (seed,) = [found for found in SEEDS if found.event_type == "sla.SLABreachWithdrawn.v1"]
    (_, subject, chinese), (_, english_subject, english) = seed.texts()
    assert "在该时间并未超时。当前到期时间以系统显示为准。" in chinese
    assert "补报" not in chinese
    assert "late" not in english
    assert "was not overdue at that time. The system shows when it is due now." in english
    assert "未超" not in subject
    assert "kept" not in english_subject


def test_withdrawn_has_one_word_in_chinese() -> None:
    root = Path(__file__).resolve().parents[3]
    found = [
        path.name
        for kind in ("*.py", "*.sql")
        for path in root.glob(f"services/*/src/**/{kind}")
        if "\u64a4\u56de" in path.read_text()
    ]
    assert found == []


def test_a_notice_keeps_only_what_its_wording_uses() -> None:
    values: dict[str, Value] = {
        "number": "INC1",
        "title": "故障",
        "description": "很长",
        "team": "network",
        "provisional": True,
        "at": "",
    }
    subject, body = "{{ number }}", "{% if provisional %}{{ team_name or title | trim }}{% endif %}{{ absent | d('') }}"
    assert rendering.needed(subject, body, values) == {
        "number": "INC1",
        "title": "故障",
        "team": "network",
        "provisional": True,
    }


def test_a_provisional_breach_says_so() -> None:
    (seed,) = [found for found in SEEDS if found.event_type == BREACH]
    for language, subject, body in seed.texts():
        values = rendering.context({**samples(BREACH)[0], "provisional": True}, NAMES, SHANGHAI)
        title, text = rendering.render(subject, body, values)
        word = "待确认" if language == "zh-CN" else "provisional"
        assert word in title
        assert word in text
        plain, sure = rendering.render(subject, body, {**values, "provisional": False})
        assert word not in plain + sure


def test_a_wording_must_fit_every_event_that_it_is_for() -> None:
    words = PublishWording("t", "en", "{{ number }}", "{{ percent }}", frozenset({"sla.SLAWarningReached.v1"}))
    assert len(WORDING.decide(words, WORDING.initial_state)) == 1
    both = PublishWording("t", "en", "{{ number }}", "{{ percent }}", words.event_types | {BREACH})
    with pytest.raises(Invalid):
        WORDING.decide(both, WORDING.initial_state)


def test_the_same_words_are_no_new_version() -> None:
    words = PublishWording("t", "en", "{{ number }}", "x", NOTIFIABLE)
    once = WORDING.decide(words, WORDING.initial_state)
    assert WORDING.decide(words, WORDING.fold(once)) == []
