"""What an incident's detail shows of the network of items: what suffers with its item, and what is grouped under it."""

from typing import Any

from incident.looking_up import look_up
from incident.projections import impact
from incident.projections.incident_row import IncidentRow
from incident.wire import Affected, AffectedItem, Children, ChildView
from opsledger_runtime.http import Look


async def of_incident(look: Look, row: IncidentRow) -> dict[str, Any]:
    """`affected` and `children`, where there can be any, of the organisations that the caller may see."""
    incident, organisations = row.incident, look.organisations()
    found: dict[str, Any] = {}
    if incident.configuration_item is not None:
        names = await look_up(look.pool, [incident.configuration_item])
        item = names.item([incident.configuration_item], incident.organisation)
        if item is not None:
            found["affected"] = _affected(await impact.affected(look.pool, item.item, organisations))
    if incident.alert_fingerprint is not None:
        found["children"] = _children(await impact.children(look.pool, row.id, organisations))
    return found


def _affected(records: list[Any]) -> Affected:
    items = [AffectedItem(**{name: row[name] for name in AffectedItem.model_fields}) for row in records]
    return Affected(count=records[0]["whole"] if records else 0, items=items)


def _children(records: list[Any]) -> Children:
    items = [ChildView(**{name: row[name] for name in ChildView.model_fields}) for row in records]
    return Children(count=records[0]["whole"] if records else 0, items=items)
