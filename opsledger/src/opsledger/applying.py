"""`opsledger apply`: calendars and agreements from YAML, with the difference shown before anything is changed.

Owns the command: what is read, asked and done in which order, and its exit codes. Touches no running clock.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from opsledger.applying_difference import Change, as_compared, changes, wanted
from opsledger.applying_documents import Document, documents, named
from opsledger.applying_platform import NoAnswer, Platform, Present, Refused, Where
from opsledger.applying_words import chinese, say, visible, worded
from opsledger.applying_yaml import MOST_BYTES, Node, Trouble, Unusable, decoded, read
from opsledger.telling import Teller
from opsledger_runtime.clock import machine_time
from opsledger_runtime.embedded.problems import CannotStart

DONE: Final = 0
REFUSED: Final = 1
WRONG_INPUT: Final = 2
DIFFERENT: Final = 3
"""There are differences and none was applied: a dry run, or somebody said no."""

INTERRUPTED: Final = 130
MOST_FILES: Final = 500
_STANDARD_INPUT: Final = "-"
_SUFFIXES: Final = (".yaml", ".yml")

Url = Annotated[
    str | None, typer.Option(envvar="OPSLEDGER_URL", help="Where Opsledger runs; this machine, if left out.")
]
Token = Annotated[
    str | None,
    typer.Option(envvar="OPSLEDGER_TOKEN", help="A token; on this machine one is made if left out."),
]
Port = Annotated[int, typer.Option(envvar="OPSLEDGER_PORT", min=1, max=65_535, help="On this machine.")]
DataDir = Annotated[Path, typer.Option(envvar="OPSLEDGER_DATA_DIR", help="Where the running Opsledger keeps its data.")]
Language = Annotated[str, typer.Option("--lang", envvar="LANG", help="zh for Chinese.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    files: Sequence[str]
    yes: bool
    dry_run: bool
    language: str


@dataclass(frozen=True, slots=True)
class Step:
    """A document, what stands there now, and what it would change."""

    document: Document
    present: Present
    changes: Sequence[Change]

    @property
    def code(self) -> str:
        """The word for what is to be done."""
        if self.present.definition is None:
            return "will_create"
        return "will_change" if self.changes else "stays"


def apply(
    files: Annotated[
        list[str], typer.Option("--file", "-f", help="A YAML file, a folder of them, or - for standard input.")
    ],
    url: Url = None,
    token: Token = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and apply nothing.")] = False,
    language: Language = "en",
    port: Port = 8080,
    data_dir: DataDir = Path("data"),
) -> None:
    """Apply calendars and agreements written as YAML, after showing what that changes.

    Exit code 0: done, or nothing to do; 1: the platform refused or does not answer; 2: wrong input; 3: differences
    that were not applied (--dry-run, or the answer was no).
    """
    where = Where(url or f"http://127.0.0.1:{port}", token, data_dir, language)
    raise typer.Exit(run(Wanted(files, yes, dry_run, language), where))


def run(wish: Wanted, where: Where) -> int:
    """Read, compare, show, ask, apply; the exit code."""
    with Teller() as tell:
        try:
            found = documents(_read(wish.files))
            with where.opened() as platform:
                return _Run(platform, tell, wish).go(found)
        except Unusable as error:
            for trouble in error.troubles:
                complain(worded(trouble, wish.language))
            return WRONG_INPUT
        except (NoAnswer, CannotStart) as error:
            complain(str(error))
            return REFUSED
        except Refused as error:
            complain(told(error, wish.language))
            return REFUSED
        except KeyboardInterrupt:
            return INTERRUPTED


class _Run:
    def __init__(self, platform: Platform, tell: Teller, wish: Wanted) -> None:
        self._platform = platform
        self._tell = tell
        self._wish = wish

    def go(self, found: Sequence[Document]) -> int:
        """From the documents to the exit code."""
        steps = self._compared(found)
        counts = {code: sum(step.code == code for step in steps) for code in ("will_create", "will_change", "stays")}
        for step in steps:
            self._say(step.code, label=step.document.label)
            sign = "+" if step.present.definition is None else " "
            for change in step.changes:
                self._line(f"  {sign} {change}")
        self._say("summary", created=counts["will_create"], changed=counts["will_change"], unchanged=counts["stays"])
        steps = [step for step in steps if step.code != "stays"]
        if not steps:
            return DONE
        if self._wish.dry_run:
            self._say("only_shown")
            return DIFFERENT
        if not self._wish.yes:
            if _STANDARD_INPUT in self._wish.files or not sys.stdin.isatty():
                complain(say("cannot_ask", self._wish.language))
                return WRONG_INPUT
            if not self._agreed():
                self._say("declined")
                return DIFFERENT
        return self._applied(steps)

    def _agreed(self) -> bool:
        try:
            return typer.confirm(say("ask", self._wish.language))
        except typer.Abort:
            return False

    def _compared(self, found: Sequence[Document]) -> list[Step]:
        """Each document beside what is there; every one is looked at before any is refused."""
        language, now = self._wish.language, machine_time()
        calendars = self._platform.defined("calendar") if any(one.kind == "agreement" for one in found) else []
        found = named(found, calendars)
        names = {str(one.id): one.name for one in calendars}
        names |= {str(one.id): one.name for one in found if one.kind == "calendar"}
        steps: list[Step] = []
        troubles: list[Trouble] = []
        for one in found:
            present = self._platform.present(one.path)
            before = None if present.definition is None else as_compared(one.kind, present.definition)
            try:
                after = wanted(one, present.definition, now, language)
            except Unusable as error:
                troubles += error.troubles
                continue
            steps.append(Step(one, present, changes(before, after, names, language)))
        if troubles:
            raise Unusable(troubles)
        return steps

    def _applied(self, steps: Sequence[Step]) -> int:
        moved: list[str] = []
        for n, step in enumerate(steps):
            label = step.document.label
            try:
                after = self._platform.put(step.document.path, step.document.spec.plain(), step.present.version)
            except Refused as error:
                self._say("failed", label=label)
                self._explain(step.document, error)
                return self._stopped(steps[n + 1 :], REFUSED)
            except NoAnswer as error:
                self._say("unknown", label=label)
                complain(str(error))
                return self._stopped(steps[n + 1 :], REFUSED)
            except KeyboardInterrupt:
                self._say("unknown", label=label)
                return self._stopped(steps[n + 1 :], INTERRUPTED)
            code = "created" if not step.present.version else "changed"
            if after.version == step.present.version:
                code = "same"
            elif step.present.version:
                moved.append(step.document.path)
            shown = after.definition or {}
            self._line(say(code, self._wish.language, label=label, revision=shown.get("revision")))
            for warning in shown.get("warnings") or []:
                self._line(f"  ! {warning['zh' if chinese(self._wish.language) else 'en']}")
        if moved:
            self._say("running_clocks")
            for path in moved:
                self._line(f"  POST /api/sla/v1{path}/apply")
        return DONE

    def _stopped(self, rest: Sequence[Step], code: int) -> int:
        for step in rest:
            self._say("left", label=step.document.label)
        return code

    def _explain(self, document: Document, error: Refused) -> None:
        """The problem document, each error at the line that caused it."""
        language = self._wish.language
        if error.status in (412, 428):
            complain(say("changed_meanwhile", language, label=document.label))
            return
        complain(worded(Trouble(document.place, "told", {"detail": told(error, language)}), language))
        for one in error.errors:
            where = str(one.get("pointer", ""))
            detail = f"{where}: {one.get('detail', '')}"
            complain(worded(Trouble(document.at(where), "told", {"detail": detail}), language))

    def _say(self, code: str, **values: Any) -> None:
        self._line(say(code, self._wish.language, values))

    def _line(self, text: str) -> None:
        self._tell.line(visible(text))


def told(error: Refused, language: str) -> str:
    """A refusal as a sentence."""
    return say("refused", language, detail=error.detail, status=error.status, reason=error.code)


def complain(sentence: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{visible(sentence)}\n")


def _read(given: Sequence[str]) -> list[Node]:
    """The documents of files, folders and standard input, in order.

    Raises:
        Unusable: with the first thing that is wrong in each file.
    """
    nodes: list[Node] = []
    troubles: list[Trouble] = []
    for name in [one for each in given for one in _files(each)]:
        try:
            shown = "stdin" if name == _STANDARD_INPUT else name
            nodes += read(decoded(_content(name), shown), shown)
        except Unusable as error:
            troubles += error.troubles
    if troubles:
        raise Unusable(troubles)
    if not nodes:
        raise Unusable([Trouble(None, "nothing", {"files": ", ".join(given)})])
    return nodes


def _files(given: str) -> list[str]:
    folder = Path(given)
    if given == _STANDARD_INPUT or not folder.is_dir():
        return [given]
    try:
        found = sorted(str(one) for one in folder.iterdir() if one.suffix in _SUFFIXES and one.name[0] != ".")
    except OSError as error:
        raise Unusable([Trouble(None, "unreadable", {"file": given, "why": error.strerror})]) from error
    if not found:
        raise Unusable([Trouble(None, "no_files", {"file": given})])
    if len(found) > MOST_FILES:
        raise Unusable([Trouble(None, "too_many_files", {"count": f"{MOST_FILES:,}"})])
    return found


def _content(name: str) -> bytes:
    """As much of it as is read at all, and a byte more."""
    try:
        if name == _STANDARD_INPUT:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Unusable([Trouble(None, "unreadable", {"file": name, "why": why})]) from error
