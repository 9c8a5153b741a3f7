"""From a rule and a notice to the people who are told. Pure: who is known and active comes in as data."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from notify.domain.facts import Notice


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule in force. `otherwise`: whom to tell where `recipients` lead to nobody, or to a vendor's team.

    `language` None: the reader's.
    """

    key: str
    event_type: str
    recipients: tuple[str, ...]
    template: str
    otherwise: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to tell. `team`: the team through which they were reached, None where they were named themselves.

    `outsider`: reached as the requester alone, who is not to see what staff write for one another.
    """

    contact: str
    team: str | None
    outsider: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who is told, and for each recipient that led to nobody why."""

    recipients: tuple[Recipient, ...]
    missing: tuple[str, ...]


def by_event(rules: Iterable[ActiveRule]) -> dict[str, list[ActiveRule]]:
    """The rules for each type of event, in order of their key."""
    found: dict[str, list[ActiveRule]] = {}
    for rule in sorted(rules, key=lambda rule: rule.key):
        found.setdefault(rule.event_type, []).append(rule)
    return found


def teams_wanted(rule: ActiveRule, notice: Notice) -> set[str]:
    """The teams whose members must be known before `resolve`."""
    tokens = rule.recipients + rule.otherwise
    found = {token.removeprefix("team:") for token in tokens if token.startswith("team:")}
    if "team" in tokens and notice.subject.team:
        found.add(notice.subject.team)
    return found


def contacts_wanted(rule: ActiveRule, notice: Notice) -> set[str]:
    """The contacts who must be known before `resolve`, besides the members of the teams."""
    tokens = rule.recipients + rule.otherwise
    found = {token.removeprefix("contact:") for token in tokens if token.startswith("contact:")}
    if "assignee" in tokens and notice.subject.assignee:
        found.add(notice.subject.assignee)
    if "requester" in tokens and notice.subject.requester:
        found.add(notice.subject.requester)
    return found


def resolve(rule: ActiveRule, notice: Notice, teams: Mapping[str, Sequence[str]], reachable: Set[str]) -> Resolution:
    """Each person once, in order of contact id.

    `reachable` are the active contacts that have an address. A person reached both through a team and by name counts
    as reached through the team. Neither recipients nor missing: the notice is kept from whom the rule names.
    """
    found = _resolve(rule.recipients, notice, teams, reachable)
    nobody = bool(found.missing) and not found.recipients
    if rule.otherwise and (nobody or notice.of_vendor):
        return _resolve(rule.recipients + rule.otherwise, notice, teams, reachable)
    return found


def _resolve(
    tokens: tuple[str, ...], notice: Notice, teams: Mapping[str, Sequence[str]], reachable: Set[str]
) -> Resolution:
    through: dict[str, str | None] = {}
    staff: set[str] = set()
    missing: list[str] = []
    requester = notice.subject.requester

    def person(contact: str | None, role: str) -> None:
        if not contact:
            missing.append(f"the incident names no {role}")
        elif contact not in reachable:
            missing.append(f"{role} {contact} is not an active contact with an address")
        elif role != "assignee" and contact == requester:
            if not notice.restricted:
                through.setdefault(contact, None)
        else:
            through.setdefault(contact, None)
            staff.add(contact)

    def group(team: str | None) -> None:
        if not team:
            missing.append("the incident names no team")
        elif team not in teams:
            missing.append(f"team {team} is unknown")
        else:
            members = [member for member in teams[team] if member in reachable]
            if not members:
                missing.append(f"team {team} has no active member with an address")
            for member in members:
                through[member] = through.get(member) or team
                staff.add(member)

    for token in tokens:
        kind, _, key = token.partition(":")
        match kind:
            case "team":
                group(key or notice.subject.team)
            case "assignee":
                person(notice.subject.assignee, "assignee")
            case "requester":
                person(notice.subject.requester, "requester")
            case _:
                person(key, "contact")
    found = (Recipient(contact, through[contact], contact not in staff) for contact in sorted(through))
    return Resolution(tuple(found), tuple(missing))


def choose_wording(versions: Mapping[str, int], language: str) -> tuple[str, int] | None:
    """Language and version of the wording for a reader: theirs, else English, else any; None where there is none.

    `versions` holds the latest version by language.
    """
    for candidate in (language, "en", *sorted(versions)):
        if candidate in versions:
            return candidate, versions[candidate]
    return None
