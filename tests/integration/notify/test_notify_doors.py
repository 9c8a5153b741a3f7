"""The HTTP doors of notify: replacing, refusing, scoping, and hostile input."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.support.notifying import BASE, SUBJECT, Notify, breached
from tests.support.waiting import eventually

from notify.api import deliveries
from opsledger_runtime import ids

ANN = {"name": "Ann Lee", "email": "ann.lee@example.com", "language": "en"}
RULE = {"event_type": "sla.SLABreached.v1", "recipients": ["team"], "template": "sla-breached"}
WORDS = {"subject": "{{ number }}", "body": "{{ title }}", "event_type": "sla.SLABreached.v1"}


async def test_a_contact_is_read_back_as_written(notify: Notify) -> None:
    body = {"name": "张　三（值班）", "email": "zhang.san@example.com", "language": "zh-CN"}
    answer = await notify.ask("PUT", "/contacts/zhang.san_1", body)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{BASE}/contacts/zhang.san_1"
    assert "zhang.san@example.com" not in answer.text
    assert await notify.get("/contacts/zhang.san_1") == {**body, "id": "zhang.san_1", "active": True, "revision": 1}
    (event,) = [e for e in await notify.events("ContactRegistered") if e.subject == "contact:zhang.san_1"]
    assert event.data == {"language": "zh-CN", "active": True, "revision": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contacts/ann-lee", {**ANN, "name": "Ann L."}),
        ("/teams/network", {"name": "Network", "members": ["ann-lee"]}),
        ("/rules/sla-breached", {**RULE, "recipients": ["assignee"]}),
    ],
)
async def test_replacing_needs_the_version_that_was_read(notify: Notify, path: str, body: dict[str, Any]) -> None:
    assert (await notify.ask("PUT", path, body)).status_code == 428
    assert (await notify.ask("PUT", path, body, **{"If-Match": '"7"'})).status_code == 412
    read = await notify.ask("GET", path)
    replaced = await notify.ask("PUT", path, body, **{"If-Match": read.headers["etag"]})
    assert replaced.status_code == 200, replaced.text
    assert replaced.headers["etag"] == '"2"'
    again = await notify.ask("GET", path)
    assert again.headers["etag"] == '"2"'
    assert again.json().items() >= body.items()
    same = await notify.ask("PUT", path, body, **{"If-Match": '"2"'})
    assert same.headers["etag"] == '"2"'


async def test_a_new_address_alone_is_a_new_revision(notify: Notify) -> None:
    answer = await notify.ask("PUT", "/contacts/ann-lee", {**ANN, "email": "ann@new.example"}, **{"If-Match": '"1"'})
    assert answer.json()["revision"] == 2
    assert (await notify.get("/contacts/ann-lee"))["email"] == "ann@new.example"


async def test_a_repeated_request_is_answered_once_and_again(notify: Notify) -> None:
    key = {"Idempotency-Key": str(ids.new_id())}
    answers = [await notify.ask("PUT", "/contacts/new-one", {**ANN, "email": "n@example.com"}, **key) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "ann@example.com\r\nBcc: evil@example.com"}, "/email"),
        ({"email": "ann@example.com,evil@example.com"}, "/email"),
        ({"email": "ann"}, "/email"),
        ({"name": "Ann\nBcc: evil@example.com"}, "/name"),
        ({"name": "  "}, "/name"),
        ({"name": "x" * 300}, "/name"),
        ({"language": "fr"}, "/language"),
        ({"admin": True}, "/admin"),
    ],
)
async def test_a_contact_that_could_break_a_header_is_refused(
    notify: Notify, change: dict[str, Any], pointer: str
) -> None:
    answer = await notify.ask("PUT", "/contacts/evil", {**ANN, **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await notify.ask("GET", "/contacts/evil")).status_code == 404


@pytest.mark.parametrize("key", ["a%20b", "a%0D%0Ab", "%E5%BC%A0", "a'--", "x" * 65, "..%2F..", "a%00b"])
@pytest.mark.parametrize("kind", ["contacts", "teams", "rules"])
async def test_an_id_that_cannot_be_one_names_nothing(notify: Notify, kind: str, key: str) -> None:
    for method in ("GET", "PUT"):
        answer = await notify.ask(method, f"/{kind}/{key}", {} if method == "PUT" else None)
        assert answer.status_code in (400, 404, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/teams/t", {"name": "T", "members": ["nobody"]}, "/members/0"),
        ("/teams/t", {"name": "T", "members": ["ann-lee", "a b"]}, "/members/1"),
        ("/rules/r", {**RULE, "event_type": "sla.CalendarDefined.v1"}, "/event_type"),
        ("/rules/r", {**RULE, "recipients": ["everybody"]}, "/recipients/0"),
        ("/rules/r", {**RULE, "recipients": ["team", "contact:nobody"]}, "/recipients/1"),
        ("/rules/r", {**RULE, "recipients": ["team:nobody"]}, "/recipients/0"),
        ("/rules/r", {**RULE, "recipients": []}, "/recipients"),
        ("/rules/r", {**RULE, "otherwise": ["team", "team:nobody"]}, "/otherwise/1"),
        ("/rules/r", {**RULE, "otherwise": ["everybody"]}, "/otherwise/0"),
        ("/rules/r", {**RULE, "language": "fr"}, "/language"),
        ("/rules/r", {**RULE, "template": "no-such"}, "/template"),
        ("/rules/r", {**RULE, "template": "sla-warning"}, "/template"),
    ],
)
async def test_a_definition_that_cannot_work_is_refused(
    notify: Notify, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await notify.ask("PUT", path, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await notify.ask("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"body": "{% for a in range(99999999) %}{% for b in range(99999999) %}x{% endfor %}{% endfor %}"},
        {"body": "{{ 'x' * 99999999999 }}"},
        {"body": "{{ ''.__class__.__mro__[1].__subclasses__() }}"},
        {"body": "{{ no_such_value }}"},
        {"body": "x" * 20_000},
        {"subject": "{{ number"},
        {"subject": " "},
        {"event_type": "nonsense"},
        {"event_type": None},
    ],
)
async def test_a_wording_that_cannot_be_filled_in_is_refused(notify: Notify, change: dict[str, Any]) -> None:
    answer = await notify.ask("POST", "/wordings/mine/en", {**WORDS, **change})
    assert answer.status_code == 422, answer.text
    assert (await notify.get("/wordings?template=mine"))["items"] == []


async def test_a_new_template_serves_a_new_rule(notify: Notify) -> None:
    published = await notify.ask("POST", "/wordings/mine/en", WORDS)
    assert (published.status_code, published.json()["version"]) == (201, 1)
    assert (await notify.ask("POST", "/wordings/mine/en", WORDS)).status_code == 200
    rule = {**RULE, "template": "mine", "recipients": ["contact:ann-lee", "team:network"]}
    assert (await notify.ask("PUT", "/rules/mine", rule)).status_code == 201
    await notify.tell(breached(team=None, assignee=None))
    items = (await notify.get("/deliveries"))["items"]
    assert {(item["contact"], item["template"], item["language"]) for item in items} == {
        ("ann-lee", "mine", "en"),
        ("li-wei", "mine", "en"),
    }
    # Now that a rule uses it, its words must fit that rule's event.
    wrong = {"subject": "{{ number }}", "body": "{{ percent }}"}
    assert (await notify.ask("POST", "/wordings/mine/en", wrong)).status_code == 422


async def test_lists_are_paged(notify: Notify) -> None:
    await notify.tell(*(breached(number=f"INC{n}") for n in range(5)))
    for path, count in (("/contacts", 3), ("/rules", 8), ("/wordings", 16), ("/deliveries", 10), ("/teams", 2)):
        seen: list[Any] = []
        cursor = ""
        while True:
            page = await notify.get(f"{path}?limit=2{cursor}")
            seen += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert len(seen) == count, path
        assert len({str(item) for item in seen}) == count, path


async def test_a_rule_in_a_language_without_words_is_refused(notify: Notify) -> None:
    assert (await notify.ask("POST", "/wordings/mine/en", WORDS)).status_code == 201
    answer = await notify.ask("PUT", "/rules/mine", {**RULE, "template": "mine", "language": "zh-CN"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/language")


MANY_SETTLED = """
insert into delivery (id, about, cause, cause_type, rule, contact, channel, language, template, wording_version, facts,
  requested_at, state)
select 'old-' || n, 'i' || n, 'c', 't', 'r', 'p', 'email', 'en', 't', 1, '{}',
  timestamptz '2026-01-01' + n * '1 s'::interval, 'delivered'
from generate_series(1, 20000) n
"""


@pytest.mark.parametrize("state", ["planned", "handing", "unknown", "failed"])
async def test_few_among_very_many_are_found_without_reading_all(notify: Notify, state: deliveries.State) -> None:
    await notify.pool.execute(MANY_SETTLED)
    await notify.pool.execute("analyze delivery; analyze delivery_work")
    query = f"explain (analyze, format json) {deliveries.listing(state)}"
    async with notify.pool.acquire() as connection:
        plan = await connection.fetchval(query, None, None, None, None, None, 51)
    assert sum(rows_of(json.loads(plan)[0]["Plan"], "delivery")) < 100


def rows_of(plan: dict[str, Any], table: str) -> list[float]:
    """Rows that a plan reads from a table, those that it then drops included."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if plan.get("Relation Name") == table else 0
    return [own * plan["Actual Loops"], *(n for part in plan.get("Plans", ()) for n in rows_of(part, table))]


async def test_notices_without_a_reader_are_counted_for_a_day(notify: Notify) -> None:
    await notify.tell(breached(team=None, assignee=None), breached())
    name = "opsledger_notices_unroutable"
    shown = (await notify.http.get("/metrics")).text
    assert f'{name}{{context="notify",rule="sla-breached"}} 1.0' in shown
    assert 'opsledger_deliveries_unsettled{channel="email",context="notify"} 2.0' in shown
    notify.running.clock.instant += timedelta(days=2)

    async def forgotten() -> bool:
        return f"{name}{{" not in (await notify.http.get("/metrics")).text

    await eventually(forgotten)  # a reading is shared for a moment


@pytest.mark.parametrize("query", ["cursor=x", "cursor=WzFd", "limit=0", "limit=9999", "state=lost"])
async def test_wrong_queries_are_refused(notify: Notify, query: str) -> None:
    answer = await notify.ask("GET", f"/deliveries?{query}")
    assert answer.status_code == 422, answer.text


async def test_deliveries_are_found_by_incident_contact_and_state(notify: Notify) -> None:
    await notify.tell(breached())
    for query, count in (
        (f"incident={SUBJECT['incident']}", 2),
        ("incident=INC0000042", 2),
        ("incident=INC0000043", 0),
        ("contact=li-wei", 1),
        ("state=planned", 2),
        ("state=delivered", 0),
    ):
        assert len((await notify.get(f"/deliveries?{query}"))["items"]) == count, query
    assert (await notify.ask("GET", "/deliveries/no-such-thing")).status_code == 404


async def test_whoever_acts_for_some_organisations_sees_only_theirs(notify: Notify) -> None:
    await notify.tell(breached(), breached(team=None, assignee=None))
    (delivery, *_) = (await notify.get("/deliveries"))["items"]
    for organisation, count, status in (("acme", 2, 200), ("other", 0, 404)):
        scoped = notify.headers("lead", organisations=[organisation])
        found = await notify.http.get(f"{BASE}/deliveries", headers=scoped)
        assert len(found.json()["items"]) == count
        assert (await notify.http.get(f"{BASE}/deliveries/{delivery['id']}", headers=scoped)).status_code == status
        unroutable = await notify.http.get(f"{BASE}/unroutable", headers=scoped)
        assert len(unroutable.json()["items"]) == (1 if count else 0)
        for path in ("/contacts", "/contacts/ann-lee", "/teams", "/rules", "/wordings"):
            assert (await notify.http.get(BASE + path, headers=scoped)).status_code == 404
        assert (await notify.http.put(f"{BASE}/contacts/new", json=ANN, headers=scoped)).status_code == 403


@pytest.mark.parametrize("role", ["requester", "analyst", "agent"])
async def test_roles_limit_who_may_define(notify: Notify, role: str) -> None:
    headers = notify.headers(role)
    assert (await notify.http.put(f"{BASE}/contacts/new", json=ANN, headers=headers)).status_code == 403
    assert (await notify.http.put(f"{BASE}/rules/new", json=RULE, headers=headers)).status_code == 403
    expected = 200 if role == "agent" else 403
    assert (await notify.http.get(f"{BASE}/deliveries", headers=headers)).status_code == expected
