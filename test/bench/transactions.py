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
from statistics import mean, median

from figures import change, interval, judged, number, ratios, spread, table, verdict

NAMES = {
    "none": "no trigger",
    "again": "no trigger, again",
    "empty": "empty C trigger",
    "pin": "**airflow_pin**",
    "twin": "plpgsql twin",
    "key": "foreign key to dag",
}
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


def rows(measured, contenders):
    for (pins, clients), rounds in measured.items():
        for name in contenders:
            against = "" if name == "none" else spread(ratios(rounds[name], rounds["none"]), change)
            yield [f"{pins:,}", str(clients), NAMES[name], number(median(rounds[name])), against]


def main() -> None:
    folder, *contenders = sys.argv[1:]
    measured = read_logs(Path(folder), contenders)
    print(
        "pgbench, a prepared INSERT of one dag_run a transaction, 1,000 DAGs, fsync off (which makes everything else"
        " cheap). For every transaction a contender is drawn; each second is a round. Median (95 % interval)"
        " of the rounds, without the slowest 2 % of the transactions. Each contender has each of six copies of"
        " dag_run in turn. No trigger is there twice, which tells what the noise is.\n"
    )
    print(table(["pins", "clients", "dag_run with", "µs a transaction", "more than no trigger"],
                list(rows(measured, contenders))) + "\n")  # fmt: skip
    for clients in sorted({clients for _, clients in measured}):
        cases = {pins: ratios(r["pin"], r["none"]) for (pins, n), r in measured.items() if n == clients}
        clients = f"{clients} client{'s' if clients > 1 else ''}"
        rounds = [ratio for case in cases.values() for ratio in case]
        print(judged(f"total within 1 % of no trigger, {clients}", rounds, MOST, change, f" in the {len(rounds)} rounds with any number of pins"))
        least, most = min(cases), max(cases)
        goal = f"no more with {most:,} pins than with none, {clients}"
        print(verdict(goal, f"{spread(cases[most], change)} beside {spread(cases[least], change)}",
                      interval(cases[most])[0] <= interval(cases[least])[1]))  # fmt: skip


if __name__ == "__main__":
    main()
