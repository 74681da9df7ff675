"""What test/bench/migrate measured, as Markdown:

    migrate.py TIMES WORKING      TIMES: round, kind, nanoseconds; WORKING: how often a watcher was told "working"
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from figures import change, judged, ratios, spread, table, verdict

MOST = 1.02


def main() -> None:
    times, working = (Path(path).read_text().split() for path in sys.argv[1:])
    seconds = defaultdict(list)
    for kind, nanoseconds in zip(times[1::3], times[2::3]):
        seconds[kind].append(int(nanoseconds) / 1e9)
    print("2.11.2 to 3.3.2, the whole command, in turn with the extension installed and a session that asks"
          f" migration_status() every second, and without; {len(working)} pairs. On the tables of Airflow 2 nothing can be"
          " attached. Median (95 % interval).\n")  # fmt: skip
    names = {"without": "without", "with": "installed and watched"}
    print(table(["airflow db migrate", "seconds"], [[names[kind], spread(seconds[kind])] for kind in names]) + "\n")
    print(judged("within 2 %", ratios(seconds["with"], seconds["without"]), MOST, change))
    told = min(map(int, working))
    print(verdict("the watcher sees each of them work", f"{told} times at least", told > 0))


if __name__ == "__main__":
    main()
