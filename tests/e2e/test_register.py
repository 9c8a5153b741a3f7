"""The register as a part of the whole platform: a file goes in over HTTP, and every event of it reaches the bus."""

from cmdb.intake.csv_file import TEMPLATE
from opsledger_runtime.testing.harness import Harness


async def test_a_file_of_items_reaches_the_bus(platform: Harness) -> None:
    operator = platform.client("operator")
    answer = await operator.post(
        "/api/cmdb/v1/imports/csv", content=TEMPLATE.encode(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["registered"], answer.json()["related"]) == (4, 4)
    position = answer.headers["Opsledger-Position"]
    shown = await operator.get("/api/cmdb/v1/items/orders-db", headers={"Opsledger-Position": position})
    assert {one["source_key"] for one in shown.json()["relations"]} == {"shop-app", "orders-db"}
    gaps = (await operator.get("/api/cmdb/v1/ownership-gaps/counts")).json()
    assert gaps["items"] == 0
    await platform.quiet()
    (status,) = [one for one in await platform.statuses() if one["context"] == "cmdb"]
    assert status["relay"]["published"] >= int(position.rpartition(":")[2])
    assert status["relay"]["outbox"] == 0
    (running,) = [one for one in platform.runnings if one.context == "cmdb"]
    counted = await running.pool.fetch("select type, count(*) from es.event group by type")
    events = {row["type"].split(".")[1]: row["count"] for row in counted}
    assert events["ConfigurationItemRegistered"] == 4
    assert events["ConfigurationItemImportCompleted"] == 1
