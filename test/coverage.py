"""What gcov counted, against the reasons for what is not run.

    python3 test/coverage.py GCOV_JSON EXCEPTIONS

GCOV_JSON holds a JSON document a line. A line of EXCEPTIONS is "file: text: reason": the text occurs in a line of the
source that is not run, and the reason holds for all lines beside that one that are not run either. elog() needs none:
it is for what cannot happen.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

WANTED_PERCENT = 95


@dataclass
class Counts:
    """Of one source file: how often each line and each of its branches was run."""

    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    branches: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, line: dict) -> None:
        number = line["line_number"]
        self.lines[number] += line["count"]
        for index, branch in enumerate(line["branches"]):
            self.branches[number, index] += branch["count"]

    def gaps(self) -> list[list[int]]:
        """The lines that are not run, those beside each other together."""
        gaps: list[list[int]] = []
        previous_was_run = True
        for number in sorted(self.lines):
            if self.lines[number] == 0:
                if previous_was_run:
                    gaps.append([])
                gaps[-1].append(number)
            previous_was_run = self.lines[number] > 0
        return gaps


def read_counts(path: str) -> dict[str, Counts]:
    files: dict[str, Counts] = defaultdict(Counts)
    for document in Path(path).read_text().splitlines():
        for file in json.loads(document)["files"]:
            if file["file"].startswith(("src/", "./src/")):
                for line in file["lines"]:
                    files[file["file"].removeprefix("./")].add(line)
    return files


def read_exceptions(path: str) -> dict[str, list[list[str]]]:
    """By file: [text, reason] pairs."""
    exceptions = defaultdict(list)
    for line in Path(path).read_text().splitlines():
        if line and not line.startswith("#"):
            file, text, reason = line.split(": ", 2)
            exceptions[file].append([text, reason])
    return exceptions


def percent(counts) -> float:
    return 100 * sum(count > 0 for count in counts) / max(len(counts), 1)


def report_files(files: dict[str, Counts]) -> float:
    print(f"{'file':44} {'lines':>7} {'branches':>9}")
    for name, counts in sorted(files.items()):
        print(f"{name:44} {percent(counts.lines.values()):6.1f}% {percent(counts.branches.values()):8.1f}%")
    lines = [count for counts in files.values() for count in counts.lines.values()]
    branches = [count for counts in files.values() for count in counts.branches.values()]
    print(f"{'all':44} {percent(lines):6.1f}% {percent(branches):8.1f}%")
    return percent(lines)


def report_gaps(files: dict[str, Counts], exceptions: dict[str, list[list[str]]]) -> bool:
    """True: each has a reason."""
    unexplained = False
    used = set()
    for name, counts in sorted(files.items()):
        source = Path(name).read_text().splitlines()
        for gap in counts.gaps():
            text = "\n".join(source[number - 1] for number in gap)
            matching = [(wanted, reason) for wanted, reason in exceptions[name] if wanted in text]
            used |= {(name, wanted) for wanted, _ in matching}
            if text.strip().startswith("elog("):
                continue
            unexplained |= not matching
            print(f"\n{name}:{gap[0]}: not run: {matching[0][1] if matching else 'NO REASON GIVEN'}")
            print(text)
    for name, entries in exceptions.items():
        for text, _ in entries:
            if (name, text) not in used:
                # what a test with real Airflow happens to see differs from time to time
                print(f"\nA reason that nothing needed this time: {name}: {text}")
    return not unexplained


def main(counts_path: str, exceptions_path: str) -> int:
    files = read_counts(counts_path)
    reached = report_files(files)
    explained = report_gaps(files, read_exceptions(exceptions_path))
    print(f"\n{reached:.1f} % of the lines are run; {WANTED_PERCENT} % are wanted.")
    return 0 if explained and reached >= WANTED_PERCENT else 1


sys.exit(main(*sys.argv[1:]))
