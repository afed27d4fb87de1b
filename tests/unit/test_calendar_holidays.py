"""Countries' holidays: the dates, and which years are known rather than guessed."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from tocsin.config.holidays import RESOLVED_YEARS, UnknownCountry, country_days


def test_china_has_its_holidays_and_make_up_days_of_2026() -> None:
    days = country_days("CN")
    golden_week = {date(2026, 10, day) for day in (1, 2, 5, 6, 7)}
    assert golden_week <= days.closed
    assert date(2026, 10, 8) not in days.closed
    assert {day for day in days.working if day.year == 2026} == {
        date(2026, 1, 4),
        date(2026, 2, 14),
        date(2026, 2, 28),
        date(2026, 5, 9),
        date(2026, 9, 20),
        date(2026, 10, 10),
    }


def test_years_that_china_has_not_announced_are_guesses() -> None:
    official = country_days("CN").official_years
    assert {2024, 2025, 2026} <= official
    assert 2045 not in official


def test_holidays_by_the_moon_are_guesses_ahead() -> None:
    official = country_days("AE").official_years
    assert 2024 in official
    assert 2045 not in official


@pytest.mark.parametrize("code", ["DE", "US", "TW", "BG"])
def test_laws_that_fix_their_days_cover_every_year(code: str) -> None:
    assert country_days(code).official_years == frozenset(RESOLVED_YEARS)


def test_regions_have_days_of_their_own() -> None:
    corpus_christi = date(2026, 6, 4)
    assert corpus_christi in country_days("DE-BY").closed
    assert corpus_christi not in country_days("DE").closed


def test_no_day_is_both_off_and_made_up() -> None:
    for code in ("CN", "HU", "RU", "VN", "KZ"):
        assert country_days(code).working
        assert not country_days(code).working & country_days(code).closed
        assert all(day.weekday() >= 5 for day in country_days(code).working)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("cn", r'unknown country "cn" \(did you mean "CN"\?\)'),
        ("United States", r'did you mean "US"\?'),
        ("Atlantis", "write the code of a country"),
        ("CN-BJ", r"CN has no regions with holidays of their own \(write CN\)"),
        ("DE-Bayern", r'did you mean "BY"\?'),
        ("DE-XX", r'DE has no region "XX" \(known here: BB, BE'),
        ("DE-", 'DE has no region ""'),
    ],
)
def test_an_unknown_country_is_refused_with_advice(code: str, complaint: str) -> None:
    with pytest.raises(UnknownCountry, match=complaint):
        country_days(code)


def test_one_country_does_not_load_all_of_them() -> None:
    """All 250 would cost a third of the time in which the daemon is to be ready. The package works on as it should."""
    script = (
        "import sys; from tocsin.config.holidays import country_days; country_days('CN');"
        "print(sum(name.startswith('holidays.countries') for name in sys.modules));"
        "import holidays.countries; print(holidays.countries.Germany(years=2026)['2026-10-03'] != '')"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["1", "True"]


def test_a_calendar_without_countries_loads_no_holidays() -> None:
    script = (
        "import sys; from tocsin.config.calendars import from_mapping;"
        "from_mapping('x', {'hours': {'mon': ['09:00-17:00']}, 'holidays': ['12-25']}, 'UTC');"
        "print('holidays' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.strip() == "False"
