"""Published holidays and make-up working days of a country, asked of the library `holidays`.

What it says is resolved into dated days when a calendar is defined, so nothing computes with the library later. It
returns the statutory days of years to come without saying that more will be decreed: `known_through` says it.
"""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import holidays as library

from opsledger_runtime.errors import FieldError, Invalid

LIBRARY: Final = "holidays"
VERSION: Final = version(LIBRARY)
YEARS_BACK: Final = 2
YEARS_AHEAD: Final = 2
MOST_YEARS_BACK: Final = 10

_DECREED_YEARLY: Final = frozenset({"CN"})
"""Where each year's days off and make-up days are known only when the state publishes them, the year before."""


class PublicDay(NamedTuple):
    """A day off, or a working day that makes up for one, with its name where the library has it."""

    date: date
    off: bool
    name_zh: str | None
    name_en: str | None


class Published(NamedTuple):
    """What the library knows, by date, and the last day up to which nothing more will be published."""

    days: tuple[PublicDay, ...]
    known_through: date


def published(country: str, subdivision: str | None, from_year: int, to_year: int) -> Published:
    """The days of a country (ISO 3166-1 alpha-2) and subdivision in these years, both included.

    Raises:
        Invalid: the library does not know the country, the subdivision, or so early a year.
    """
    known = _countries()
    if country not in known:
        raise Invalid(
            f"No holidays are known for the country {country[:20]!r}. Use a code of ISO 3166 such as CN or DE, or "
            "enter the days as exceptions.",
            [FieldError("/holidays/country", "A code of ISO 3166 such as CN.")],
            code="unknown_country",
        )
    if subdivision is not None and subdivision not in known[country]:
        some = ", ".join(known[country][:5])
        advice = f"Use one such as {some}" if some else f"{country} has none: leave it out"
        raise Invalid(
            f"No holidays are known for {subdivision[:20]!r} in {country}. {advice}.",
            [FieldError("/holidays/subdivision", f"{advice}.")],
            code="unknown_subdivision",
        )
    return _published(country, subdivision, from_year, to_year)


@lru_cache(maxsize=64)
def _published(country: str, subdivision: str | None, from_year: int, to_year: int) -> Published:
    years = range(from_year, to_year + 1)
    plain = library.country_holidays(country, subdiv=subdivision, years=years)
    if from_year < plain.start_year:
        raise Invalid(
            f"Holidays of {country} are known from {plain.start_year}. Begin then.",
            [FieldError("/holidays/from_year", f"{plain.start_year} at the earliest.")],
            code="year_out_of_range",
        )
    names = {language: _named(plain, country, subdivision, years, language) for language in ("zh", "en")}
    off = [PublicDay(day, True, names["zh"].get(day), names["en"].get(day, plain[day])) for day in sorted(plain)]
    make_up = [day for day in sorted(plain.weekend_workdays) if day.year in years]
    worked = [PublicDay(day, False, "调休上班", "Make-up working day") for day in make_up]
    last = to_year
    if country in _DECREED_YEARLY:
        last = max((day.year for day in plain.weekend_workdays), default=from_year - 1)
    return Published(tuple(sorted(off + worked)), date(min(last, to_year), 12, 31))


def _named(plain: Any, country: str, subdivision: str | None, years: range, language: str) -> dict[date, str]:
    """Names in a language; none where the library does not speak it."""
    spoken = next(_spoken(plain, language), None)
    if spoken is None:
        return {}
    return dict(library.country_holidays(country, subdiv=subdivision, years=years, language=spoken))


def _spoken(plain: Any, language: str) -> Iterator[str]:
    wanted = ("zh_CN",) if language == "zh" else ("en_US", plain.default_language or "")
    languages = {*plain.supported_languages, plain.default_language}
    yield from (one for one in wanted if one in languages and one.startswith(language))


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    found = library.list_supported_countries(include_aliases=False)
    return {country: subdivisions for country, subdivisions in found.items() if len(country) == 2}
