"""Countries' holidays resolved to dates, out of the `holidays` package, which is only loaded when a calendar names a country."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import ModuleType
from typing import Any

from tocsin.config.words import suggestion

RESOLVED_YEARS = range(2000, 2061)
"""Fixed, so that a calendar and its version do not depend on the day on which it was read."""

_ALL_COUNTRIES = "holidays.countries"
_GAVE_UP_MOVED_DAYS = frozenset({"AM", "BG", "TW", "UA"})


@dataclass(frozen=True, slots=True)
class CountryDays:
    """The days of a country or region in the years asked for.

    `working` are weekend days on which the country works to make up for a day off elsewhere (China's 调休). `official_years` are those
    whose dates are known rather than guessed: a country that moves working days announces them year by year, and some holidays are
    estimated until the moon was seen.
    """

    closed: frozenset[date]
    working: frozenset[date]
    official_years: frozenset[int]


class UnknownCountry(ValueError):
    """There is no such country or region, or its holidays are not known."""


@lru_cache(maxsize=64)
def country_days(code: str, years: range = RESOLVED_YEARS) -> CountryDays:
    """Return the holidays of a country ("CN") or one of its regions ("DE-BY"). Raises UnknownCountry."""
    country, region = _country_of(code), code.partition("-")[2]
    with _loading_one_country(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of years that the package knows less of: `official_years` says it
        import holidays

        if "-" in code:
            _check_region(getattr(holidays, country), country, region)
        days = holidays.country_holidays(country, subdiv=region or None, years=years)
    made_up = frozenset(day for day in days.weekend_workdays if day.year in years)
    return CountryDays(frozenset(days), made_up, frozenset(years) - _guessed_years(country, days, years))


def _country_of(code: str) -> str:
    """Return the two letters of the country that a code starts with. Raises UnknownCountry."""
    from holidays.registry import COUNTRIES

    codes = {known: entity[1] for entity in COUNTRIES.values() for known in entity[1:] if known.isupper()}
    found = codes.get(code.partition("-")[0])
    if found is not None:
        return found
    names = {module.replace("_", " "): entity[1] for module, entity in COUNTRIES.items()}
    meant = codes.get(code.upper()) or names.get(code.lower().replace("_", " "))
    advice = f'did you mean "{meant}"?' if meant else 'write the code of a country, as CN, or of a region, as "DE-BY"'
    raise UnknownCountry(f'unknown country "{code}" ({advice})')


def _check_region(entity: Any, country: str, region: str) -> None:
    regions = entity.subdivisions
    if region in regions:
        return
    if not regions:
        raise UnknownCountry(f"{country} has no regions with holidays of their own (write {country})")
    meant = entity.subdivisions_aliases.get(region)
    near = f' (did you mean "{meant}"?)' if meant else suggestion(region, regions)
    raise UnknownCountry(f'{country} has no region "{region}"{near}')


def _guessed_years(country: str, days: Any, years: Iterable[int]) -> set[int]:
    """Return the years of which the package guesses: it says so of dates by the moon, and says nothing of moved days."""
    announced = _announced_years(days)
    is_announced = bool(announced) and country not in _GAVE_UP_MOVED_DAYS
    beyond = {year for year in years if year > max(announced)} if is_announced else set()
    mark = days.tr(getattr(days, "estimated_label", "")).replace("%s", "").strip(" ()（）")
    return beyond | {day.year for day, name in days.items() if mark and mark in name}


def _announced_years(days: Any) -> set[int]:
    """Return the years for which the package lists moved working days: (month, day, from month, from day[, from year])."""
    special: dict[int, Any] = getattr(days, "special_public_holidays", {})
    return {year for year, entries in special.items() if any(len(entry) >= 4 for entry in _as_entries(entries))}


def _as_entries(entries: Any) -> tuple[Any, ...]:
    return entries if isinstance(entries[0], tuple) else (entries,)


@contextmanager
def _loading_one_country() -> Iterator[None]:
    """Keep the package from loading all 250 countries (0.4 s) for the sake of one, by an empty parent module meanwhile."""
    spec = importlib.util.find_spec("holidays")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if _ALL_COUNTRIES in sys.modules:
        yield
        return
    parent = ModuleType(_ALL_COUNTRIES)
    parent.__path__ = [f"{folder}/countries" for folder in folders]
    sys.modules[_ALL_COUNTRIES] = parent
    try:
        yield
    finally:
        del sys.modules[_ALL_COUNTRIES]
