"""A run in words: what was done, and each check with ✓ or with what it complains of."""

from collections import Counter

from tests.chaos.run import Report

_SHOWN = 5


def lines(report: Report) -> list[str]:
    """The table, line by line."""
    journal = report.journal
    counts = "  ".join(f"{outcome} {journal.count(outcome)}" for outcome in ("acknowledged", "refused", "unknown"))
    faults = Counter(f"{fault.kind} {fault.target}" for fault in report.faults)
    rows = [
        ("commands", f"{counts}  alerts {len(journal.alerts)}"),
        ("faults", ", ".join(f"{what} ×{n}" if n > 1 else what for what, n in sorted(faults.items())) or "none"),
        ("events", "  ".join(f"{context} {count}" for context, count in report.events.items())),
        ("announced", "  ".join(f"{name} {count}" for name, count in report.names.items())),
        ("mails", f"received {report.mails}"),
        ("rest after", f"{report.rest_seconds:.1f} s"),
    ]
    found = [f"  {name:<12}{text}" for name, text in rows]
    found.append("")
    for check, complaints in report.complaints.items():
        found.append(f"  {'✗' if complaints else '✓'} {check}" + (f": {len(complaints)}" if complaints else ""))
        found += [f"      {complaint}" for complaint in complaints[:_SHOWN]]
        if len(complaints) > _SHOWN:
            found.append(f"      … and {len(complaints) - _SHOWN} more")
    return found
