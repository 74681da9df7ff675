"""What can be on dag_run when a run is inserted (contenders.sql), and how that is told."""

from __future__ import annotations

from figures import change, interval, median, number, ratios, spread, verdict

NAMES = {
    "none": "no trigger",
    "again": "no trigger, again",
    "empty": "empty C trigger",
    "pin": "**airflow_pin**",
    "twin": "plpgsql twin",
    "key": "foreign key to dag",
}


def rows(rounds: dict[str, list[float]], first: list[str]) -> list[list[str]]:
    """A line of a table for each contender: the first columns, the median, what it is more than no trigger."""
    return [
        [*first, NAMES[name], number(median(values)), "" if name == "none" else spread(ratios(values, rounds["none"]), change)]
        for name, values in rounds.items()
    ]


def same_with_pins(cases: dict[int, list[float]], where: str = "") -> str:
    """The verdict on ratios of airflow_pin by number of pins: does it cost more with the most than with the fewest?"""
    fewest, most = min(cases), max(cases)
    return verdict(
        f"no more with {most:,} pins than with {fewest or 'none'}{where}",
        f"{spread(cases[most], change)} beside {spread(cases[fewest], change)}",
        interval(cases[most])[0] <= interval(cases[fewest])[1],
    )
