"""Rules and recipients: who is told about what."""

from dataclasses import replace
from typing import Any

import pytest

from notify.domain import delivery, facts, routing, rule
from notify.domain.contact import CONTACT, RegisterContact
from notify.domain.delivery import DELIVERY, PlanNotification, RecordDelivered, RecordFailed, RecordUnroutable
from notify.domain.facts import NOTIFIABLE, Notice, Subject
from notify.domain.routing import ActiveRule, Recipient
from notify.domain.rule import RULE, DefineRule
from notify.domain.team import TEAM, FormTeam
from opsledger_events import Event, event_class
from opsledger_events.contexts.notify import ContactRegistered, NotificationFailed, RuleDefined
from opsledger_events.contexts.sla import ClockEvent
from opsledger_events.envelope import parse_instant
from opsledger_runtime.errors import Invalid, NotFound
from opsledger_runtime.testing.decider import given

SUBJECT = Subject("incident-1", "INC1", "故障", 1, "acme", None, "network", "li", "wang")
NOTICE = Notice(SUBJECT, "cause-1", "sla.SLABreached.v1", {"number": "INC1"})
TEAMS = {"network": ["li", "zhao"], "desk": ["ann"], "empty": []}
EVERYBODY = frozenset({"li", "zhao", "ann", "wang"})


def active(*recipients: str) -> ActiveRule:
    return ActiveRule("r", "sla.SLABreached.v1", recipients, "t")


def test_rules_match_by_event_type_in_order_of_key() -> None:
    rules = [
        replace(active("team"), key="b"),
        replace(active("team"), key="c", event_type="sla.SLAMet.v1"),
        replace(active("team"), key="a"),
    ]
    found = {kind: [rule_.key for rule_ in matching] for kind, matching in routing.by_event(rules).items()}
    assert found == {"sla.SLABreached.v1": ["a", "b"], "sla.SLAMet.v1": ["c"]}


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (["team"], [("li", "network"), ("zhao", "network")]),
        (["assignee"], [("li", None)]),
        (["requester"], [("wang", None)]),
        (["contact:ann"], [("ann", None)]),
        (["team:desk"], [("ann", "desk")]),
        (["assignee", "team"], [("li", "network"), ("zhao", "network")]),
        (["team", "assignee"], [("li", "network"), ("zhao", "network")]),
        (["requester", "contact:wang", "team:desk"], [("ann", "desk"), ("wang", None)]),
    ],
)
def test_each_person_is_told_once(tokens: list[str], told: list[tuple[str, str | None]]) -> None:
    found = routing.resolve(active(*tokens), NOTICE, TEAMS, EVERYBODY)
    assert [(recipient.contact, recipient.team) for recipient in found.recipients] == told
    assert found.missing == ()


@pytest.mark.parametrize(
    ("tokens", "subject", "why"),
    [
        (["team"], replace(SUBJECT, team=None), "the incident names no team"),
        (["team"], replace(SUBJECT, team="nobody"), "team nobody is unknown"),
        (["team:empty"], SUBJECT, "team empty has no active member with an address"),
        (["assignee"], replace(SUBJECT, assignee=None), "the incident names no assignee"),
        (["requester"], replace(SUBJECT, requester="left"), "requester left is not an active contact with an address"),
        (["contact:gone"], SUBJECT, "contact gone is not an active contact with an address"),
    ],
)
def test_who_cannot_be_told_is_named_with_the_reason(tokens: list[str], subject: Subject, why: str) -> None:
    found = routing.resolve(active(*tokens), replace(NOTICE, subject=subject), TEAMS, EVERYBODY)
    assert found.recipients == ()
    assert found.missing == (why,)


def test_the_others_are_told_only_where_nobody_else_is() -> None:
    rule_ = replace(active("team", "assignee"), otherwise=("team:desk",))
    assert routing.teams_wanted(rule_, NOTICE) == {"network", "desk"}
    somebody = routing.resolve(rule_, NOTICE, TEAMS, EVERYBODY)
    assert "ann" not in {recipient.contact for recipient in somebody.recipients}
    lost = replace(NOTICE, subject=replace(SUBJECT, team=None, assignee="left"))
    assert routing.resolve(rule_, lost, TEAMS, EVERYBODY).recipients == (Recipient("ann", "desk"),)
    nobody = routing.resolve(replace(rule_, otherwise=("team:empty",)), lost, TEAMS, EVERYBODY)
    assert nobody.recipients == ()
    assert nobody.missing == (
        "the incident names no team",
        "assignee left is not an active contact with an address",
        "team empty has no active member with an address",
    )


def clock_notice(**changes: Any) -> Notice:
    cls = event_class("sla.SLABreached.v1")
    event = cls.read({**cls.example, "assignee": "li", "requester": "wang", **changes})
    assert isinstance(event, ClockEvent)
    return facts.notice(event, facts.subject_of_clock(event), "c", parse_instant("2026-11-22T05:00:00Z"))


@pytest.mark.parametrize("now_with", ["network", "elsewhere", None])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("ola", [("li", "network"), ("zhao", "network")]),
        ("uc", [("ann", "desk"), ("li", "network"), ("zhao", "network")]),
    ],
)
def test_r83_a_clock_of_a_team_is_told_to_that_team_and_of_a_vendor_to_the_desk_too(
    kind: str, told: list[tuple[str, str]], now_with: str | None
) -> None:
    """Wherever the incident is by then and whoever has it there; never to the requester."""
    rule_ = replace(active("team", "assignee", "requester", "contact:wang"), otherwise=("team:desk",))
    assignee = "li" if now_with == "network" else "sun"
    notice = clock_notice(kind=kind, party="network", team=now_with, assignee=assignee)
    found = routing.resolve(rule_, notice, TEAMS, EVERYBODY | {"sun"})
    assert [(recipient.contact, recipient.team) for recipient in found.recipients] == told
    assert (notice.values["team"], notice.values["party"]) == (now_with or "", "network")


def test_a_vendor_team_without_addresses_leaves_the_desk_to_be_told() -> None:
    rule_ = replace(active("team", "assignee"), otherwise=("team:desk",))
    for vendor in ("empty", "never-formed", None):
        notice = clock_notice(kind="uc", party=vendor, team=vendor, assignee=None)
        found = routing.resolve(rule_, notice, TEAMS, EVERYBODY)
        assert found.recipients == (Recipient("ann", "desk"),)
    alone = routing.resolve(active("team"), clock_notice(kind="uc", party="empty"), TEAMS, EVERYBODY)
    assert alone == routing.Resolution((), ("team empty has no active member with an address",))


def test_a_clock_of_a_customer_is_told_as_ever() -> None:
    rule_ = replace(active("team", "requester"), otherwise=("team:desk",))
    notice = clock_notice(team="network")
    assert (notice.restricted, notice.of_vendor) == (False, False)
    found = routing.resolve(rule_, notice, TEAMS, EVERYBODY)
    assert [recipient.contact for recipient in found.recipients] == ["li", "wang", "zhao"]


NOTE = replace(NOTICE, restricted=True)


@pytest.mark.parametrize("token", ["requester", "contact:wang"])
def test_a_requester_is_not_told_of_an_internal_note(token: str) -> None:
    found = routing.resolve(active(token), NOTE, TEAMS, EVERYBODY)
    assert (found.recipients, found.missing) == ((), ())
    assert routing.resolve(active(token, "contact:ann"), NOTE, TEAMS, EVERYBODY).recipients == (Recipient("ann", None),)


def test_a_requester_who_works_on_it_is_told_as_staff() -> None:
    notice = replace(NOTE, subject=replace(SUBJECT, requester="li", assignee="li"))
    found = routing.resolve(active("requester", "assignee"), notice, TEAMS, EVERYBODY)
    assert found.recipients == (Recipient("li", None),)
    found = routing.resolve(active("requester"), replace(NOTICE, subject=SUBJECT), TEAMS, EVERYBODY)
    assert found.recipients == (Recipient("wang", None, outsider=True),)


@pytest.mark.parametrize(
    ("event_type", "changes", "restricted", "internal"),
    [
        ("incident.IncidentNoted.v1", {"public": False}, True, set()),
        ("incident.IncidentNoted.v1", {"public": True}, False, set()),
        ("incident.IncidentHeld.v1", {}, False, {"note"}),
        ("incident.IncidentRequesterContacted.v1", {"note": "付款逾期"}, False, {"note"}),
        ("incident.IncidentCancelled.v1", {}, False, {"reason"}),
        ("incident.IncidentResolved.v1", {}, False, set()),
    ],
)
def test_internal_texts_are_known_as_such(
    event_type: str, changes: dict[str, Any], restricted: bool, internal: set[str]
) -> None:
    cls = event_class(event_type)
    notice = facts.notice(cls.read({**cls.example, **changes}), SUBJECT, "c", parse_instant("2026-11-22T05:00:00Z"))
    assert notice.restricted is restricted
    told = facts.told_to(notice.values, notice, outsider=True)
    assert {name for name in notice.values if told[name] != notice.values[name]} == internal
    assert facts.told_to(notice.values, notice, outsider=False) == notice.values


def test_members_who_left_are_passed_over() -> None:
    found = routing.resolve(active("team"), NOTICE, TEAMS, frozenset({"zhao"}))
    assert found.recipients == (Recipient("zhao", "network"),)


def test_everybody_who_may_be_told_is_asked_for() -> None:
    rule_ = active("team", "assignee", "requester", "contact:x", "team:desk")
    assert routing.teams_wanted(rule_, NOTICE) == {"network", "desk"}
    assert routing.contacts_wanted(rule_, NOTICE) == {"li", "wang", "x"}


@pytest.mark.parametrize(
    ("versions", "language", "chosen"),
    [
        ({"zh-CN": 3, "en": 1}, "zh-CN", ("zh-CN", 3)),
        ({"en": 2}, "zh-CN", ("en", 2)),
        ({"zh-CN": 1}, "en", ("zh-CN", 1)),
        ({}, "en", None),
    ],
)
def test_the_readers_language_else_english_else_any(versions: Any, language: str, chosen: Any) -> None:
    assert routing.choose_wording(versions, language) == chosen


@pytest.mark.parametrize(
    ("command", "pointer"),
    [
        (DefineRule("sla.AgreementDefined.v1", ("team",), "t", True), "/event_type"),
        (DefineRule("nonsense", ("team",), "t", True), "/event_type"),
        (DefineRule("sla.SLABreached.v1", ("everybody",), "t", True), "/recipients/0"),
        (DefineRule("sla.SLABreached.v1", ("team", "contact:"), "t", True), "/recipients/1"),
        (DefineRule("sla.SLABreached.v1", ("contact:a b",), "t", True), "/recipients/0"),
        (DefineRule("sla.SLABreached.v1", ("team:x\n",), "t", True), "/recipients/0"),
        (DefineRule("sla.SLABreached.v1", (), "t", True), "/recipients"),
        (DefineRule("sla.SLABreached.v1", ("team",), "../t", True), "/template"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(command: DefineRule, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        RULE.decide(command, RULE.initial_state)
    assert refused.value.errors[0].pointer == pointer


def test_a_rule_may_say_who_else_and_in_which_language() -> None:
    define = DefineRule("sla.SLABreached.v1", ("team",), "t", True, ("team:desk", "team:desk"), "en")
    (event,) = RULE.decide(define, RULE.initial_state)
    assert isinstance(event, RuleDefined)
    assert (event.otherwise, event.language) == (["team:desk"], "en")
    other = replace(define, language=None)
    assert len(RULE.decide(other, RULE.fold([event]))) == 1
    with pytest.raises(Invalid) as refused:
        RULE.decide(replace(define, otherwise=("everybody",)), RULE.initial_state)
    assert refused.value.errors[0].pointer == "/otherwise/0"


def test_replacing_with_the_same_is_no_fact() -> None:
    define = DefineRule("sla.SLABreached.v1", ("team", "team"), "t", True, ("requester",), "zh-CN")
    form = FormTeam("network", "网络组", ("li", "li", "zhao"))
    register = RegisterContact("en", True, True)
    for decider, command in ((RULE, define), (TEAM, form)):
        once = decider.decide(command, decider.initial_state)  # type: ignore[arg-type]
        assert len(once) == 1
        assert decider.decide(command, decider.fold(once)) == []  # type: ignore[arg-type]
    known = CONTACT.fold(CONTACT.decide(register, CONTACT.initial_state))
    assert CONTACT.decide(replace(register, address_changed=False), known) == []
    assert [event.model_dump()["revision"] for event in CONTACT.decide(register, known)] == [2]


def test_contact_events_carry_no_personal_data() -> None:
    assert set(ContactRegistered.model_fields) == {"language", "active", "revision"}


def test_rules_name_contacts_and_teams() -> None:
    tokens = ("team", "contact:a", "team:b", "contact:c")
    assert rule.named(tokens, "contact") == ["a", "c"]
    assert rule.named(tokens, "team") == ["b"]


PLAN = PlanNotification(NOTICE, "r", "li", "network", "email", "zh-CN", "t", 1)
REQUESTED = DELIVERY.decide(PLAN, DELIVERY.initial_state)


def test_a_delivery_is_requested_once_and_settled_once() -> None:
    given(DELIVERY, REQUESTED).when(PLAN).then_nothing()
    delivered = DELIVERY.decide(RecordDelivered(1, "<m@x>", "smtp"), DELIVERY.fold(REQUESTED))
    assert [event.event_name() for event in delivered] == ["NotificationDelivered"]
    given(DELIVERY, [*REQUESTED, *delivered]).when(RecordDelivered(1, "<m@x>", "smtp")).then_nothing()
    given(DELIVERY, [*REQUESTED, *delivered]).when(RecordFailed(6, "late")).then_nothing()


def test_a_failure_says_whom_it_concerned() -> None:
    (failed,) = DELIVERY.decide(RecordFailed(6, "550 no"), DELIVERY.fold(REQUESTED))
    assert isinstance(failed, NotificationFailed)
    assert (failed.contact, failed.rule, failed.cause, failed.attempts) == ("li", "r", "cause-1", 6)


def test_an_outcome_of_nothing_is_refused() -> None:
    with pytest.raises(NotFound):
        DELIVERY.decide(RecordFailed(1, "x"), DELIVERY.initial_state)


def test_an_unroutable_notice_is_recorded_once() -> None:
    command = RecordUnroutable(NOTICE, "r", "nobody")
    given(DELIVERY, DELIVERY.decide(command, DELIVERY.initial_state)).when(command).then_nothing()


def test_mail_of_unknown_outcome_is_sent_again_by_policy() -> None:
    assert delivery.UNKNOWN_IS_SENT_AGAIN == {"email": True}


@pytest.mark.parametrize("event_type", sorted(NOTIFIABLE))
def test_every_event_gives_flat_values_whatever_is_absent(event_type: str) -> None:
    full, bare = facts.samples(event_type)
    assert full.keys() == bare.keys()
    for values in (full, bare):
        assert all(isinstance(value, str | int) for value in values.values())


def test_long_values_are_cut_so_that_a_notice_never_outgrows_an_event() -> None:
    cls = event_class("incident.IncidentOpened.v1")
    event: Event = cls.read({**cls.example, "description": "长" * 200_000})
    values = facts.values_of(event, SUBJECT, parse_instant("2026-11-22T05:00:00Z"))
    assert len(str(values["description"])) == facts.VALUE_LENGTH
