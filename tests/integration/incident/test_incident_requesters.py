"""What a requester sees: their own incidents, without what was written for the desk."""

from typing import Any

from tests.support.incident_desk import Desk

REPORT = {"title": "打印机卡纸", "impact": 3, "urgency": 3}
WANG = {"subject": "wang-fang"}


async def numbers(desk: Desk, headers: dict[str, str], query: str = "") -> list[str]:
    return [item["number"] for item in (await desk.get(f"/incidents{query}", headers=headers))["items"]]


async def test_a_requester_sees_own_incidents_and_no_others(desk: Desk) -> None:
    wang, li = desk.headers("requester", **WANG), desk.headers("requester", subject="li-wei")
    own = await desk.post("/incidents", REPORT, status=201, headers=wang)
    assert own["requester"] == "wang-fang"
    taken_by_phone = await desk.open(requester="wang-fang")
    nobodys = await desk.open()
    assert await numbers(desk, wang) == ["INC0000002", "INC0000001"]
    assert await numbers(desk, li) == []
    assert await numbers(desk, wang, "?number=INC0000003") == []
    for incident in (own["id"], own["number"], taken_by_phone):
        await desk.get(f"/incidents/{incident}", headers=wang)
        assert (await desk.get(f"/incidents/{incident}", headers=li, status=404))["code"] == "not_found"
    for query in ("", "?as_of=2026-11-22T09:00:00Z"):
        await desk.get(f"/incidents/{nobodys}{query}", headers=wang, status=404)


async def test_a_requester_reports_for_nobody_else(desk: Desk) -> None:
    wang = desk.headers("requester", **WANG)
    refused = await desk.post("/incidents", {**REPORT, "requester": "li-wei"}, headers=wang, status=403)
    assert refused["code"] == "requester_forbidden"
    await desk.post("/incidents", {**REPORT, "requester": "wang-fang"}, headers=wang, status=201)


async def test_a_requester_of_an_organisation_sees_own_incidents_there(desk: Desk) -> None:
    wang = desk.headers("requester", **WANG, organisations=["acme"])
    await desk.open(requester="wang-fang", organisation="globex")
    await desk.open(requester="wang-fang", organisation="acme")
    assert await numbers(desk, wang) == ["INC0000002"]


async def test_internal_texts_are_not_for_requesters_and_integrations(desk: Desk) -> None:
    held = await desk.open(requester="wang-fang")
    await desk.post(f"/incidents/{held}/assign", {"team": "network"})
    await desk.post(f"/incidents/{held}/start")
    await desk.post(f"/incidents/{held}/hold", {"reason": "other", "note": "客户没付款"})
    cancelled = await desk.open(requester="wang-fang")
    await desk.post(f"/incidents/{cancelled}/cancel", {"reason": "又是他"})

    async def texts(headers: dict[str, str]) -> set[Any]:
        found = list((await desk.get("/incidents", headers=headers))["items"])
        for incident in (held, cancelled):
            found.append(await desk.get(f"/incidents/{incident}", headers=headers))
            found.append(await desk.get(f"/incidents/{incident}?known_at=2026-11-22T09:00:00Z", headers=headers))
        assert {(item["state"], item["hold_reason"]) for item in found} == {("on_hold", "other"), ("cancelled", None)}
        return {item[name] for item in found for name in ("hold_note", "cancel_reason")}

    assert await texts(desk.headers("requester", **WANG)) == {None}
    assert await texts(desk.headers("integration")) == {None}
    assert await texts(desk.headers("auditor")) == {None, "客户没付款", "又是他"}
