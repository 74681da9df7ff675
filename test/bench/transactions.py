"""What test/bench/transactions measured, as Markdown:

    transactions.py DIRECTORY CONTENDER...

DIRECTORY has pgbench's logs, log-PINS-CLIENTS-TURN.*: a line a transaction, whose fourth field is the number of the contender.
A second is a round: each contender's mean in it is set against that of no trigger in the same second.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

from contenders import rows, same_with_pins
from figures import change, judged, median, ratios, table

WARM_UP = 4  # seconds: each session meets each DAG for the first time
OUTLIERS = 0.02  # the slowest transactions of a second: checkpoints, other processes
MOST = 1.01


def trimmed(values: list[float]) -> float:
    ordered = sorted(values)
    return mean(ordered[: max(1, round(len(ordered) * (1 - OUTLIERS)))])


def read_rounds(paths: list[Path], contenders: list[str]) -> dict[str, list[float]]:
    """Microseconds of each contender, second by second."""
    seconds: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        for line in path.read_text().splitlines():
            _, _, elapsed, script, second, _ = line.split()[:6]
            seconds[int(second)][contenders[int(script)]].append(float(elapsed))
    whole = sorted(seconds)[WARM_UP:-1]
    return {name: [trimmed(seconds[second][name]) for second in whole] for name in contenders}


def read_logs(folder: Path, contenders: list[str]) -> dict[tuple[int, int], dict[str, list[float]]]:
    """The rounds of all turns, by pins and clients."""
    logs = defaultdict(list)
    for path in folder.glob("log-*"):
        pins, clients, turn = re.match(r"log-(\d+)-(\d+)-(\d+)\.", path.name).groups()
        logs[int(pins), int(clients), int(turn)].append(path)
    measured = defaultdict(lambda: defaultdict(list))
    for (pins, clients, _), paths in sorted(logs.items()):
        for name, rounds in read_rounds(paths, contenders).items():
            measured[pins, clients][name] += rounds
    return measured


def main() -> None:
    folder, *contenders = sys.argv[1:]
    measured = read_logs(Path(folder), contenders)
    print(
        "pgbench, a prepared INSERT of one dag_run a transaction, 1,000 DAGs, fsync off (which makes everything else"
        " cheap). For every transaction a contender is drawn; each second is a round. Median (95 % interval)"
        " of the rounds, without the slowest 2 % of the transactions. Each contender has each of six copies of"
        " dag_run in turn. No trigger is there twice, which tells what the noise is.\n"
    )
    lines = [line for (pins, clients), rounds in measured.items() for line in rows(rounds, [f"{pins:,}", str(clients)])]
    print(table(["pins", "clients", "dag_run with", "µs a transaction", "more than no trigger"], lines) + "\n")
    for clients in sorted({clients for _, clients in measured}):
        cases = {pins: ratios(rounds["pin"], rounds["none"]) for (pins, n), rounds in measured.items() if n == clients}
        where = f", {clients} client{'s' if clients > 1 else ''}"
        together = [ratio for case in cases.values() for ratio in case]
        found = f" in the {len(together)} rounds with any number of pins"
        print(judged(f"total within 1 % of no trigger{where}", together, MOST, change, found))
        worst = max(cases, key=lambda pins: median(cases[pins]))
        found = f" at most, with {worst:,} pins"
        print(judged(f"the same with each number of pins{where}", cases[worst], MOST, change, found))
        print(same_with_pins(cases, where))


if __name__ == "__main__":
    main()
