"""What test/bench/insert measured, as Markdown:

    insert.py FILE ROWS

FILE has lines PINS|CONTENDER|SECONDS; those of a contender are in the order of the rounds.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from contenders import NAMES, rows, same_with_pins
from figures import ratios, table


def read(path: Path, inserted: int) -> dict[int, dict[str, list[float]]]:
    """Microseconds a row, by pins and contender."""
    measured = defaultdict(lambda: {name: [] for name in NAMES})
    for line in path.read_text().split():
        pins, name, seconds = line.split("|")
        measured[int(pins)][name].append(float(seconds) / inserted * 1e6)
    return measured


def main() -> None:
    inserted = int(sys.argv[2])
    measured = read(Path(sys.argv[1]), inserted)
    rounds = min(len(values) for values in measured[0].values())
    print(
        f"{inserted:,} rows in one INSERT into a copy of dag_run with all its indexes and foreign keys, 1,000 DAGs, {rounds}"
        " rounds, in each of which all contenders have their turn. Median (95 % interval); no trigger is there twice,"
        " which tells what the noise is. What the clock cannot tell apart here, instructions do.\n"
    )
    lines = [line for pins, values in measured.items() for line in rows(values, [f"{pins:,}"])]
    print(table(["pins", "dag_run with", "µs a row", "more than no trigger"], lines) + "\n")
    print(same_with_pins({pins: ratios(values["pin"], values["none"]) for pins, values in measured.items()}))


if __name__ == "__main__":
    main()
