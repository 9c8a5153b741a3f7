"""Relations between items: which may be, which way a failure goes along them, and how many an item may have.

Built-in classes are told apart by what they are; a class of one's own may stand at either end of any relation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from cmdb.domain.commands import RelateItems, RelationCommand, UnrelateItems
from opsledger_events import Event
from opsledger_events.contexts.cmdb import (
    ConfigurationItemsRelated,
    ConfigurationItemsUnrelated,
    Impact,
    RelationType,
)
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import NotFound, RuleViolated

_SERVICES: Final = frozenset({"business_service"})
_SOFTWARE: Final = frozenset({"application", "middleware", "database"})
_HOSTS: Final = frozenset({"server", "virtual_machine", "container", "cluster"})
_EQUIPMENT: Final = frozenset({"server", "storage", "network_device", "security_device", "end_user_device"})
_INFRASTRUCTURE: Final = _HOSTS | _EQUIPMENT - {"end_user_device"} | {"facility"}
BUILT_IN: Final = _SERVICES | _SOFTWARE | _HOSTS | _EQUIPMENT | {"facility"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of relation. `pairs`: which classes at the source go with which at the target.

    `one_target`: classes of which an item has at most one target. `no_cycle`: nothing leads back to where it began.
    """

    relation: RelationType
    name_zh: str
    name_en: str
    impact: Impact
    pairs: tuple[tuple[frozenset[str], frozenset[str]], ...]
    one_target: frozenset[str] | None = frozenset()
    no_cycle: bool = False

    def allows(self, source: str, target: str) -> bool:
        """Whether items of these classes may be related so."""
        if source not in BUILT_IN or target not in BUILT_IN:
            return True
        return any(source in sources and target in targets for sources, targets in self.pairs)

    def has_one_target(self, source: str) -> bool:
        """Whether an item of the class may have one target only; `one_target` None: of whatever class."""
        return self.one_target is None or source in self.one_target


KINDS: Final[Mapping[RelationType, Kind]] = {
    "depends_on": Kind(
        "depends_on",
        "依赖于",
        "depends on",
        "source_depends",
        (
            (_SERVICES | _SOFTWARE, _SERVICES | _SOFTWARE | _INFRASTRUCTURE),
            (_INFRASTRUCTURE, _INFRASTRUCTURE),
            (frozenset({"end_user_device"}), _SERVICES | _SOFTWARE | _INFRASTRUCTURE),
        ),
    ),
    "runs_on": Kind(
        "runs_on",
        "运行于",
        "runs on",
        "source_depends",
        (
            (_SOFTWARE, _HOSTS | {"middleware", "end_user_device"}),
            (frozenset({"virtual_machine"}), frozenset({"server", "cluster"})),
            (frozenset({"container"}), frozenset({"server", "virtual_machine", "cluster"})),
        ),
        one_target=frozenset({"virtual_machine", "container"}),
        no_cycle=True,
    ),
    "part_of": Kind(
        "part_of",
        "属于",
        "is part of",
        "target_depends",
        (
            (_SERVICES, _SERVICES),
            (_SOFTWARE, _SOFTWARE | _SERVICES | {"cluster"}),
            (_HOSTS | {"storage"}, frozenset({"cluster"})),
            *((frozenset({one}), frozenset({one})) for one in sorted(_EQUIPMENT | {"facility"})),
        ),
        one_target=None,
        no_cycle=True,
    ),
    "connected_to": Kind(
        "connected_to",
        "连接到",
        "is connected to",
        "none",
        ((_EQUIPMENT | _HOSTS | {"facility"}, _EQUIPMENT | _HOSTS | {"facility"}),),
    ),
    "backs_up": Kind(
        "backs_up",
        "备份",
        "backs up",
        "none",
        ((_SOFTWARE | _HOSTS | {"storage"}, _SOFTWARE | _HOSTS | {"storage"}),),
    ),
}
"""Every type of relation by its name."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation as its events left it; `told` is the last that related its ends."""

    told: ConfigurationItemsRelated | None = None
    stands: bool = False


def decide(
    command: RelationCommand, state: Relation
) -> Sequence[ConfigurationItemsRelated | ConfigurationItemsUnrelated]:
    """Relate or end; what stands already is nothing new.

    Raises:
        NotFound: there was never such a relation.
        RuleViolated: these two may not be related so.
    """
    match command:
        case RelateItems():
            return relate_items(command, state)
        case UnrelateItems():
            return unrelate_items(command, state)
        case _:
            assert_never(command)


def relate_items(command: RelateItems, state: Relation) -> Sequence[ConfigurationItemsRelated]:
    """Between two different items whose classes go together."""
    kind, source, target = KINDS[command.relation], command.source, command.target
    if source.item == target.item:
        raise RuleViolated(f"“{source.key}” cannot be related to itself. Name another item.", rule="not_to_itself")
    if not kind.allows(source.item_class, target.item_class):
        raise RuleViolated(
            f"A {source.item_class} ({source.key}) cannot be `{command.relation}` a {target.item_class} ({target.key})."
            " GET /relation-types says which classes go together.",
            rule="classes_do_not_go_together",
        )
    if state.stands:
        return []
    return [
        ConfigurationItemsRelated(
            source=source.item,
            source_key=source.key,
            target=target.item,
            target_key=target.key,
            relation=command.relation,
            impact=kind.impact,
        )
    ]


def unrelate_items(command: UnrelateItems, state: Relation) -> Sequence[ConfigurationItemsUnrelated]:
    """It ended."""
    if state.told is None:
        raise NotFound("There is no such relation.")
    if not state.stands:
        return []
    return [ConfigurationItemsUnrelated(**state.told.model_dump(), reason=command.reason)]


def evolve(state: Relation, event: Event) -> Relation:
    """The relation after one more event."""
    match event:
        case ConfigurationItemsRelated():
            return Relation(event, True)
        case ConfigurationItemsUnrelated():
            return Relation(state.told, False)
    return state


RELATION: Final[Decider[RelationCommand, Relation]] = Decider(decide, evolve, Relation())
