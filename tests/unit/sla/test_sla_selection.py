"""Which agreement is for an incident: the most specific, whatever the order of definitions, and why not the others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger_events.contexts.sla import AgreementDefined
from sla.choice_words import sentence
from sla.domain.selection import Candidate, Situation, choose, explain, is_for, ranked, same_selectors, stated


def candidate(id_: str, name: str = "", **stated_: Any) -> Candidate:
    told: dict[str, Any] = {"calendar": "c", "targets": [], "pausing_reasons": [], "warning_percent": [], "revision": 1}
    return Candidate(id_, AgreementDefined(name=name or id_, **told, **stated_))


def situation(**changes: Any) -> Situation:
    told = {"organisation": "acme", "service": "core", "category": "network", "criticality": "critical"}
    return Situation(**{"kind": "sla", **told, "priority": 1, "team": "desk", **changes})


def chosen(candidates: list[Candidate], of: Situation) -> str | None:
    found = choose(ranked(candidates), of)
    return None if found is None else found.id


DEFAULT = candidate("default")
ACME = candidate("acme", organisation="acme")
CORE = candidate("core", service="core")
ACME_CORE = candidate("acme-core", organisation="acme", service="core")
NETWORK = candidate("network", category="network")
CRITICAL = candidate("critical", criticality="critical")
URGENT = candidate("urgent", priorities=[1, 2])
ALL = [DEFAULT, ACME, CORE, ACME_CORE, NETWORK, CRITICAL, URGENT]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "acme-core"),
        ({"service": "mail"}, "acme"),
        ({"service": None}, "acme"),
        ({"organisation": "globex"}, "core"),
        ({"organisation": None}, "core"),
        ({"organisation": "globex", "service": None}, "network"),
        ({"organisation": None, "service": "mail", "category": None}, "critical"),
        ({"organisation": None, "service": None, "category": "Network", "criticality": "high"}, "urgent"),
        ({"organisation": None, "service": None, "category": None, "criticality": None, "priority": 3}, "default"),
        ({"kind": "ola"}, None),
    ],
)
def test_r89_the_most_specific_agreement_is_chosen(changes: dict[str, Any], expected: str | None) -> None:
    assert chosen(ALL, situation(**changes)) == expected
    assert chosen(ALL[::-1], situation(**changes)) == expected


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"organisation": "acme"}, {"service": "core", "category": "network", "criticality": "critical"}),
        ({"service": "core"}, {"category": "network", "criticality": "critical", "priorities": [1]}),
        ({"category": "network"}, {"criticality": "critical", "priorities": [1]}),
        ({"criticality": "critical"}, {"priorities": [1]}),
        ({"organisation": "acme", "priorities": [1]}, {"organisation": "acme"}),
    ],
)
def test_an_earlier_selector_counts_more_than_all_later_ones(more: dict[str, Any], less: dict[str, Any]) -> None:
    assert chosen([candidate("a", **less), candidate("b", **more)], situation()) == "b"


@pytest.mark.parametrize("kind", ["ola", "uc"])
def test_r83_the_agreement_that_names_the_team_comes_first(kind: Any) -> None:
    desk = candidate("desk", kind=kind, team="desk")
    anybody = candidate("anybody", kind=kind, organisation="acme", service="core")
    others = candidate("others", kind=kind, team="network", organisation="acme")
    everything = [desk, anybody, others, DEFAULT]
    assert chosen(everything, situation(kind=kind)) == "desk"
    assert chosen(everything, situation(kind=kind, team="network")) == "others"
    assert chosen(everything, situation(kind=kind, team="field")) == "anybody"
    assert chosen(everything, situation(kind=kind, team=None)) == "anybody"
    assert chosen(everything, situation(kind=kind, team="field", organisation=None)) is None
    assert stated(others.agreement) == ("team", "organisation")


def test_of_two_that_state_the_same_the_lower_id_is_chosen() -> None:
    both = [candidate("b", priorities=[1, 2]), candidate("a", priorities=[1, 3])]
    assert chosen(both, situation()) == "a"
    assert chosen(both, situation(priority=2)) == "b"


def test_an_agreement_without_a_target_for_the_priority_is_chosen_all_the_same() -> None:
    assert chosen([ACME, DEFAULT], situation(priority=5)) == "acme"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"kind": "ola"}, False),
        ({"priorities": [1, 2]}, {"priorities": [2, 1]}, True),
        ({"priorities": [1, 2]}, {"priorities": [1]}, False),
        ({"kind": "ola", "team": "a"}, {"kind": "ola"}, False),
        ({"kind": "ola", "team": "a"}, {"kind": "uc", "team": "a"}, False),
        ({"category": "a"}, {"criticality": "a"}, False),
    ],
)
def test_which_agreements_are_for_the_same_incidents(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    first, second = candidate("a", **one).agreement, candidate("b", **other).agreement
    assert same_selectors(first, second) is same_selectors(second, first) is same


def test_each_candidate_is_told_why_in_both_languages() -> None:
    globex = candidate("globex", "Globex", organisation="globex", priorities=[2, 3, 4])
    without_service = candidate("mail", "Mail", service="mail")
    silver = candidate("zz", "Silver", priorities=[1])
    everything = [
        DEFAULT,
        candidate("a", "Gold", organisation="acme"),
        NETWORK,
        URGENT,
        silver,
        globex,
        without_service,
    ]
    about = situation(service=None)
    told = {one.candidate.id: (one.judgement, *sentence(one, about)) for one in explain(ranked(everything), about)}
    assert list(told) == ["globex", "a", "mail", "network", "zz", "urgent", "default"]
    assert told["globex"] == (
        "names_another",
        "不适用：它针对机构 globex，此事件为 acme；它针对优先级 2、3、4，此事件为 1。",
        "Not for it: it names organisation globex, and this incident has acme; it names priority 2, 3 or 4, and this"
        " incident has 1.",
    )
    assert told["a"] == (
        "chosen",
        "选用：它指明了机构 acme，适用于此事件的协议中没有更具体的。",
        "Chosen: it names organisation acme, and none for this incident is more specific.",
    )
    assert told["mail"][1:] == (
        "不适用：它针对服务 mail，此事件没有服务。",
        "Not for it: it names service mail, and this incident has none.",
    )
    assert told["network"] == (
        "less_specific",
        "未选用：“Gold”指明了机构，优先于此协议指明的类别。",
        "Not chosen: “Gold” names the organisation, which counts before the category that this one names.",
    )
    assert told["default"] == (
        "less_specific",
        "未选用：“Gold”更具体，还指明了机构。",
        "Not chosen: less specific than “Gold”, which names the organisation too.",
    )
    alone = explain([DEFAULT], about)[0]
    assert sentence(alone, about).zh == "选用：它适用于所有事件，没有更具体的协议适用于此事件。"
    first, second = explain(ranked([URGENT, silver]), about)
    assert (first.judgement, second.judgement) == ("chosen", "more_priorities")
    assert sentence(second, about).en == "Not chosen: it names as much as “Silver”, and more priorities."
    twin = candidate("z0", "Twin", priorities=[1])
    second = explain(ranked([silver, twin]), about)[1]
    assert (second.judgement, second.candidate.id) == ("higher_id", "zz")
    assert sentence(second, about).zh == "未选用：与“Twin”指明的项目相同，标识较小的“Twin”优先。"


def test_without_one_that_is_for_it_every_candidate_names_something_else() -> None:
    (only,) = explain([ACME], situation(organisation="globex"))
    assert (only.judgement, only.selectors, only.chosen) == ("names_another", ("organisation",), None)


FEW = st.sampled_from([None, "a", "b"])
AGREEMENTS = st.lists(
    st.builds(
        candidate,
        st.text("0123456789abcdef", min_size=1, max_size=4),
        kind=st.sampled_from(["sla", "ola", "uc"]),
        team=FEW,
        organisation=FEW,
        service=FEW,
        category=FEW,
        criticality=FEW,
        priorities=st.lists(st.integers(1, 3), max_size=3, unique=True),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)
SITUATIONS = st.builds(
    Situation, st.sampled_from(["sla", "ola", "uc"]), FEW, FEW, FEW, FEW, priority=st.integers(1, 3), team=FEW
)


@given(AGREEMENTS, SITUATIONS, st.randoms(use_true_random=False))
def test_the_chosen_one_is_never_less_specific_than_another_that_matches(
    agreements: list[Candidate], of: Situation, dice: Any
) -> None:
    found = choose(ranked(agreements), of)
    matching = [one for one in agreements if is_for(one.agreement, of)]
    assert (found is None) == (not matching)
    shuffled = agreements.copy()
    dice.shuffle(shuffled)
    assert choose(ranked(shuffled), of) == found
    order = ("organisation", "service", "category", "criticality", "priorities")
    for one in matching:
        assert found is not None
        for name in order if of.kind == "sla" else ("team", *order):
            mine, others = bool(getattr(found.agreement, name)), bool(getattr(one.agreement, name))
            if mine != others:
                assert mine, f"{one.id} names the {name}"
                break
        else:
            assert found.id <= one.id


@given(AGREEMENTS, SITUATIONS)
def test_every_candidate_of_the_kind_has_one_verdict_and_both_sentences(
    agreements: list[Candidate], of: Situation
) -> None:
    told = explain(ranked(agreements), of)
    assert [one.candidate for one in told] == ranked(one for one in agreements if one.agreement.kind == of.kind)
    assert sum(one.judgement == "chosen" for one in told) == any(is_for(one.agreement, of) for one in agreements)
    for one in told:
        zh, en = sentence(one, of)
        assert zh.endswith("。")
        assert en.endswith(".")
        assert "None" not in zh + en
        assert (one.judgement == "names_another") == (not is_for(one.candidate.agreement, of))
