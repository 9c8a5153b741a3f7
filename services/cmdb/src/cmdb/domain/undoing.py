"""What an item would be without one of its edits.

Fact by fact: what that edit changed becomes what it was before, and what it did not touch stays as it is now. A fact
that was changed again since is somebody's later word, so the later edit has to be taken back first.
"""

from typing import Any, Final

from cmdb.domain.facts import NAMES, Facts
from cmdb.domain.state import Item
from opsledger_events.contexts.cmdb import (
    ConfigurationItemAbsorbed,
    ConfigurationItemMerged,
    ConfigurationItemRegistered,
)
from opsledger_runtime.errors import NotFound, RuleViolated

_GONE: Final = object()


def facts_without(item: Item, version: int) -> Facts:
    """The facts as they are now, without what the event with this version changed.

    Raises:
        NotFound: there is no such version.
        RuleViolated: it is no edit, or what it changed was changed again since.
    """
    if not 1 <= version <= item.version:
        raise NotFound(f"“{item.facts.key}” has no version {version}.")
    told = item.told[version]
    if told is ConfigurationItemRegistered:
        raise RuleViolated("A registration is not undone. Retire the item.", rule="registration_is_not_undone")
    if told in (ConfigurationItemAbsorbed, ConfigurationItemMerged):
        raise RuleViolated(
            "Two items were merged there, and that is final. Register what was none as a new item.",
            rule="merge_is_not_undone",
        )
    before, after, now = (_apart(item.past[at]) for at in (version - 1, version, item.version))
    result = dict(now)
    for name in {*before, *after}:
        earlier, edited, current = (found.get(name, _GONE) for found in (before, after, now))
        if earlier == edited or current == earlier:
            continue
        if current != edited:
            raise RuleViolated(
                f"“{name}” was changed again after version {version}. Undo the later edit first.",
                rule="changed_again_since",
            )
        if earlier is _GONE:
            del result[name]
        else:
            result[name] = earlier
    return _together(result)


def _apart(facts: Facts) -> dict[str, Any]:
    found = {name: getattr(facts, name) for name in NAMES if name != "attributes"}
    return found | {f"attributes.{key}": value for key, value in facts.attributes.items()}


def _together(found: dict[str, Any]) -> Facts:
    attributes = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("attributes.")}
    return Facts(**{name: found[name] for name in NAMES if name != "attributes"}, attributes=attributes)
