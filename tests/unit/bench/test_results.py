"""The page and the data that a case leaves."""

import json
from pathlib import Path

from bench.results import CaseResult, Circumstances, Measurement, Table, markdown, write

WHERE = Circumstances("2026-11-22 08:00 UTC", 2, 23.5, 0.4, "3.11.7", "18.6", "2.15.1", {"relay_backlog": 5})


def result() -> CaseResult:
    return CaseResult(
        "relay",
        "the same bytes by hand.",
        [
            Measurement("relay", "drain", 12_345.6, "events/s", 20_000.0, 0.61728, ">= 0.6", True, 1.234, 56.7),
            Measurement("relay", "slow | thing", float("nan"), "ms", aim="< 5 ms", met=False),
        ],
        [Table("Cost by size", ["size", "ms"], [[1_000_000, 0.5], ["none", None]])],
        seconds=12.3,
        others=0.07,
    )


def test_the_page_has_a_row_for_each_measurement() -> None:
    page = markdown(result(), WHERE)
    assert "Limit: the same bytes by hand." in page
    assert "| drain | 12,346 events/s | 20,000 events/s | 0.617 | >= 0.6 | yes | 1.23 | 56.7 |  |  |  |" in page
    assert "| slow \\| thing | - ms |  |  | < 5 ms | **no** |" in page
    assert "| 1,000,000 | 0.5 |" in page
    assert "2 cores" in page
    assert "other programs 7% of the processors" in page
    assert "Failed" not in page


def test_the_page_says_first_that_something_was_lost() -> None:
    broken = result()
    broken.failures.append("3 acknowledged incidents are not in the mart: a, b, c")
    page = markdown(broken, WHERE)
    assert page.index("**Failed.**") < page.index("3 acknowledged incidents") < page.index("| what |")


def test_the_data_is_json_that_every_reader_takes(tmp_path: Path) -> None:
    write(result(), WHERE, tmp_path)
    found = json.loads((tmp_path / "relay.json").read_text(), parse_constant=lambda name: 1 / 0)
    assert found["measurements"][0]["ratio"] == 0.61728
    assert found["measurements"][1]["figure"] is None
    assert found["circumstances"]["sizes"] == {"relay_backlog": 5}
    assert (tmp_path / "relay.md").read_text() == markdown(result(), WHERE)


def test_what_missed_its_aim_is_named() -> None:
    assert result().missed == ["slow | thing"]
