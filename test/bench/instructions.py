"""What test/bench/count-instructions counted, as Markdown; or held against bounds:

    instructions.py COUNTS          the section
    instructions.py COUNTS guard    "ok" or "not ok" a line, for make check
"""

from __future__ import annotations

import sys
from pathlib import Path

from contenders import NAMES
from figures import table, verdict

MOST_OF_EMPTY = 1.5
# What the guard lets pass: a tenth more than was counted when it was written, 1.49 and 780.
GUARD_OF_EMPTY = 1.6
GUARD_TASK = 860
GUARD_PARSE = 0.01


def report(counts: dict[str, float]) -> None:
    base = counts["none"]
    added = {name: counts[name] - base for name in NAMES if name not in ("none", "again")}
    rows = [
        [NAMES[name], f"{added[name]:,.0f}", f"{added[name] / added['empty']:.2f} ×", f"{added[name] / counts['real'] * 100:.2f} %"]
        for name in added
    ]
    print("What a row costs more than without a trigger, counted on a copy of dag_run without indexes, because what those do"
          " differs from time to time; 100,000 pins of other DAGs. The share is of a row inserted into the real dag_run"
          f" ({counts['real']:,.0f} instructions, many rows a statement). Counted twice, a row without a trigger differs by"
          f" {abs(counts['again'] - base):.0f} instructions.\n")  # fmt: skip
    print(table(["dag_run with", "instructions a row", "of the empty trigger", "of the insert"], rows) + "\n")
    print(f"A row of task_instance, which most often is of a run that no pin touches: {counts['task_pin'] - counts['task_none']:,.0f}"
          " more.\n")  # fmt: skip
    parse = counts["parse_pin"] - counts["parse_none"]
    print(f"A row of dag that a parse writes, and no pin holds: {parse:,.0f} more, of {counts['parse_real']:,.0f} for the two statements"
          " that lock and write one; PostgreSQL locks a row for any BEFORE UPDATE trigger.\n")  # fmt: skip
    share = parse / counts["parse_real"]
    print(verdict("within 1 % of what a parse writes of dag", f"{share:.2%}", share <= GUARD_PARSE))
    ratio = added["pin"] / added["empty"]
    print(verdict("within 1.5 × the empty C trigger's own overhead", f"{ratio:.2f} ×", ratio <= MOST_OF_EMPTY))


def guard(counts: dict[str, float]) -> bool:
    ratio = (counts["pin"] - counts["none"]) / (counts["empty"] - counts["none"])
    task = counts["task_pin"] - counts["task_none"]
    parse = (counts["parse_pin"] - counts["parse_none"]) / counts["parse_real"]
    checks = [
        (ratio <= GUARD_OF_EMPTY, f"an unpinned dag_run takes {ratio:.2f} times the instructions of an empty trigger, at most {GUARD_OF_EMPTY}"),
        (task <= GUARD_TASK, f"an unpinned task_instance takes {task:.0f} instructions more, at most {GUARD_TASK}"),
        (parse <= GUARD_PARSE, f"a row of dag that a parse writes, and no pin holds, takes {parse:.2%} more instructions, at most {GUARD_PARSE:.0%}"),
    ]
    for met, text in checks:
        print(f"{'ok' if met else 'not ok'}: {text}")
    return all(met for met, _ in checks)


def main() -> int:
    lines = [line.split() for line in Path(sys.argv[1]).read_text().splitlines()]
    counts = {name: float(value) for name, value in lines}
    if len(sys.argv) > 2:
        return 0 if guard(counts) else 1
    report(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
