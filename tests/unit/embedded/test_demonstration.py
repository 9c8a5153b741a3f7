"""What the demonstration prints, from a story that it was told."""

from rich.console import Console

from opsledger.demo import Story, show

CLOCK = {"state": "running", "met": None, "elapsed_seconds": 600, "target_seconds": 3600, "due_at": None}


def test_several_clocks_of_one_metric_are_told_apart() -> None:
    clocks = [
        {**CLOCK, "metric": "resolution"},
        {**CLOCK, "metric": "resolution", "met": True, "kind": "sla", "party": None},
        {**CLOCK, "metric": "ownership", "met": False, "kind": "ola", "party": "network"},
        {**CLOCK, "metric": "resolution", "kind": "uc", "party": None},
    ]
    breach = {
        "id": "e1",
        "type": "opsledger.sla.SLABreached.v1",
        "time": "2026-11-22T05:00:00+00:00",
        "data": {"metric": "ownership", "kind": "ola", "party": "network"},
    }
    incident = {"number": "INC0000042", "title": "t", "priority": 1, "state": "resolved"}
    console = Console(record=True, width=120)
    with console.capture() as printed:
        show(Story(incident, clocks, [], {}, [breach]), console)
    text = printed.get()
    for line in (
        "Clock: resolution │ running",
        "Clock: resolution │ met",
        "Clock: ownership (OLA of network) │ missed",
        "Clock: resolution (UC of a team) │ running",
    ):
        assert " ".join(line.split()) in " ".join(text.split()), text
    assert "ownership (OLA of network) clock at" in text
