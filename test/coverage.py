"""What gcov counted, against the reasons for what is not run.

    python3 test/coverage.py EXCEPTIONS [GCOV_JSON]

GCOV_JSON holds a JSON document a line. Told are the lines that no test runs, and the conditions that come out only one
way in all tests, each with its reason. Without GCOV_JSON, only the reasons are looked at: whether each names one
function of src/, and a text that is in it.

A line of EXCEPTIONS is "function: text: reason". Where several files have a function of that name, the file's name
comes before it, without the folder: "file.c:function: text: reason". The text has no ": " in it, and white space does
not count. It occurs in a line that is not run, and the reason holds for all lines beside that one in the function that
are not run either; or in the line of a condition, and the reason holds for the conditions that the text touches. A
reason that nothing needs is an error, too. elog() needs none: it is for what cannot happen.

A branch is a way of a condition: each operand of "&&", "||" and "?:" counts, not the statement. Left out, and counted,
are those of the server's macros (OWN_CONDITIONS, foreach), which are spelled in its headers. Not told once more is what
another finding tells: the conditions of a line that is not run, the condition that leads to it, and one that is never
asked because another always comes out the same. gcov knows lines and not columns: where an expression goes on in the
next line, the text of a condition is its line.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

WANTED_PERCENT = 95

# So begins the reason for what a real Airflow, or a race, happens to do in one run of the tests and not in another.
AT_TIMES = "at times: "

# How many conditions of its own a macro of the server's has, with gcc -O0. They come before those of its arguments.
OWN_CONDITIONS = {
    "ereport": 1,  # is this level logged?
    "elog": 1,
    "CHECK_FOR_INTERRUPTS": 1,
    "PG_TRY": 1,  # what follows PG_CATCH() is in lines of its own
    "PG_END_TRY": 1,
    "VARDATA_ANY": 1,  # how long a header has the value?
    "VARSIZE_ANY_EXHDR": 5,
    "appendStringInfoCharMacro": 1,  # is there room?
    "HeapTupleHeaderGetUpdateXid": 3,
}
# foreach: is there a list, is this cell in it, and then the one that goes on or ends the loop, which is the program's.
FOREACH_CONDITIONS = 3

# What ends a condition, or has some of its own.
OPERATOR = re.compile(rf"&&|\|\||\?|\b(?P<macro>{'|'.join(OWN_CONDITIONS)})\(")
# Macros whose arguments may be on lines of their own; gcov counts those at the first.
STATEMENT_MACRO = re.compile(r"\b(?:ereport|elog)\(")
# As clang-format lays a function out: its name and its braces begin lines.
FUNCTION = re.compile(r"^(?P<name>\w+)\([^;{}]*\)\n\{\n.*?^\}", re.DOTALL | re.MULTILINE)
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', re.DOTALL)


def without_layout(text: str) -> str:
    """Without white space, and with the parts of a string joined."""
    return "".join(text.split()).replace('""', "")


@dataclass
class Condition:
    """One that the machine code jumps on: how often each way, and its text; None for one of a macro's."""

    ways: list[int]
    text: str | None

    def one_way(self) -> bool:
        return any(self.ways) and not all(self.ways)


@dataclass
class Finding:
    """Something that the tests do not do."""

    function: str
    line: int
    what: str
    text: str
    touched: str  # the part of the text that a reason has to touch


@dataclass
class Reason:
    """Why the tests do not do something, and what that is."""

    place: str  # in the file of exceptions
    file: str  # without its folder; empty where the function's name is enough
    function: str
    text: str
    why: str
    needed: bool = False

    def __str__(self) -> str:
        return f"{self.file}{':' if self.file else ''}{self.function}: {self.text}: {self.why}"

    def is_about(self, path: str, function: str) -> bool:
        return function == self.function and self.file in ("", Path(path).name)

    def explains(self, path: str, finding: Finding) -> bool:
        wanted, text, touched = map(without_layout, (self.text, finding.text, finding.touched))
        return self.is_about(path, finding.function) and (wanted in touched or (wanted in text and touched in wanted))

    def fault(self, functions: dict[str, dict[str, str]]) -> str:
        """Empty when it names one function and a text in it, else what is wrong."""
        paths = functions.get(self.function, {})
        texts = {path: text for path, text in paths.items() if self.is_about(path, self.function)}
        if not texts:
            return "NO SUCH FUNCTION" + (f" (but in {', '.join(paths)})" if paths else "")
        if len(texts) > 1:
            return f"MORE THAN ONE SUCH FUNCTION (in {', '.join(texts)}), write file.c:function"
        if not any(without_layout(self.text) in without_layout(text) for text in texts.values()):
            return f"NO SUCH TEXT IN THE FUNCTION (in {', '.join(texts)})"
        return ""


@dataclass
class Counts:
    """Of one source file: how often each line and each of its branches was run."""

    name: str
    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    branches: dict[int, list[int]] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)

    def add(self, line: dict) -> None:
        number = line["line_number"]
        self.lines[number] += line["count"]
        self.functions[number] = line.get("function_name", "")
        counts = [branch["count"] for branch in line["branches"]]
        before = self.branches.get(number, [0] * len(counts))
        self.branches[number] = [sum(both) for both in zip(before, counts)]

    def gaps(self) -> list[list[int]]:
        """The lines that are not run, those beside each other in a function together."""
        gaps: list[list[int]] = []
        of_gap = None  # the function in which the line before is not run
        for number in sorted(self.lines):
            function = self.functions[number]
            if self.lines[number] == 0:
                if function != of_gap:
                    gaps.append([])
                gaps[-1].append(number)
            of_gap = None if self.lines[number] else function
        return gaps

    def conditions(self) -> dict[int, list[Condition]]:
        """By line; a switch, which has more than two ways, is one condition."""
        return {
            number: conditions_of(statement(self.name, number), counts)
            for number, counts in sorted(self.branches.items())
            if counts
        }


@cache
def source(name: str) -> list[str]:
    return Path(name).read_text().splitlines()


def statement(name: str, number: int) -> str:
    """The line, or all of those of a macro."""
    lines = source(name)[number - 1 :]
    text = lines.pop(0)
    while STATEMENT_MACRO.search(text) and is_open(text):
        text += "\n" + lines.pop(0)
    return text


def statements(name: str, first: int, last: int) -> str:
    """The lines, and the rest of the last one's statement."""
    lines = source(name)
    while last < len(lines) and not lines[last - 1].endswith((";", "{", "}", ":", "*/")):
        last += 1
    return "\n".join(lines[first - 1 : last])


def is_open(text: str) -> bool:
    code = LITERAL.sub("", text)
    return code.count("(") > code.count(")")


def conditions_of(text: str, counts: list[int]) -> list[Condition]:
    if text.strip().startswith("switch "):
        return [Condition(counts, text)]
    pairs = [counts[i : i + 2] for i in range(0, len(counts), 2)]
    return [Condition(ways, part) for ways, part in zip(pairs, parts_of(text, len(pairs)))]


def parts_of(text: str, count: int) -> list[str | None]:
    """The text of each condition, in the order of gcov; all of the text where that is in doubt."""
    if text.strip().startswith("foreach ") and count == FOREACH_CONDITIONS:
        return [None, None, text]
    parts: list[str | None] = []
    start = 0
    for match in OPERATOR.finditer(LITERAL.sub(lambda literal: "_" * len(literal[0]), text)):
        if match["macro"]:
            parts += [None] * OWN_CONDITIONS[match["macro"]]
        else:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    if len(parts) == count - 1:
        parts.append(text[start:].strip())
    if len(parts) != count:
        return [text] * count
    goes_on = text.endswith(("&&", "||", "("))  # then gcov may count conditions of the next line here
    return [text if part is not None and goes_on else part for part in parts]


def read_counts(path: str) -> dict[str, Counts]:
    files: dict[str, Counts] = {}
    for document in Path(path).read_text().splitlines():
        for file in json.loads(document)["files"]:
            name = file["file"].removeprefix("./")
            if name.startswith("src/"):
                for line in file["lines"]:
                    files.setdefault(name, Counts(name)).add(line)
    return files


def read_reasons(path: str) -> list[Reason]:
    reasons = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        if line and not line.startswith("#"):
            parts = line.split(": ", 2)
            if len(parts) < 3 or not all(part.strip() for part in parts):
                sys.exit(f'{path}:{number}: this is not "function: text: reason": {line}')
            names, text, why = parts
            file, _, function = names.rpartition(":")
            reasons.append(Reason(f"{path}:{number}", file, function, text, why))
    return reasons


def read_functions() -> dict[str, dict[str, str]]:
    """By name, then by file: what the function consists of, with all that it may be by "#if"."""
    functions: dict[str, dict[str, str]] = defaultdict(lambda: defaultdict(str))
    for path in sorted(Path("src").rglob("*.[ch]")):
        for function in FUNCTION.finditer(path.read_text()):
            functions[function["name"]][str(path)] += function[0]
    return functions


def percent(counts) -> float:
    return 100 * sum(count > 0 for count in counts) / max(len(counts), 1)


def ways(counts: Counts) -> list[int]:
    """The branches that are the program's."""
    return [way for condition in all_conditions(counts) if condition.text is not None for way in condition.ways]


def all_conditions(counts: Counts) -> list[Condition]:
    return [condition for conditions in counts.conditions().values() for condition in conditions]


def report_files(files: dict[str, Counts]) -> tuple[float, float]:
    def report(name: str, lines: list[int], branches: list[int]) -> tuple[float, float]:
        print(f"{name:44} {percent(lines):6.1f}% {percent(branches):8.1f}%")
        return percent(lines), percent(branches)

    print(f"{'file':44} {'lines':>7} {'branches':>9}")
    all_lines: list[int] = []
    all_ways: list[int] = []
    for name, counts in sorted(files.items()):
        report(name, list(counts.lines.values()), ways(counts))
        all_lines += counts.lines.values()
        all_ways += ways(counts)
    reached = report("all", all_lines, all_ways)
    left_out = sum(len(c.ways) for counts in files.values() for c in all_conditions(counts) if c.text is None)
    print(f"{len(all_ways)} branches. Left out are {left_out} of macros: {', '.join(OWN_CONDITIONS)}, foreach.")
    return reached


def lead_to_gap(conditions: list[Condition], text: str) -> bool:
    """Is the gap after their line all that there is to say of the conditions that come out one way?

    Each way to it is one that a condition does not take. Where only one has such a way, that is it; and where all are
    joined by "or", each of them leads there.
    """
    return len(conditions) == 1 or not re.search(r"&&|\?", text)


def findings_of(counts: Counts) -> list[Finding]:
    findings = []
    before_gap = set()
    numbers = sorted(counts.lines)
    for gap in counts.gaps():
        text = statements(counts.name, gap[0], gap[-1])
        if not text.strip().startswith("elog("):
            findings.append(Finding(counts.functions[gap[0]], gap[0], "not run", text, text))
        if gap[0] != numbers[0]:
            before_gap.add(numbers[numbers.index(gap[0]) - 1])
    for number, conditions in counts.conditions().items():
        told = [condition for condition in conditions if condition.text is not None and condition.one_way()]
        text = statement(counts.name, number)
        if number in before_gap and lead_to_gap(told, text):
            continue
        function = counts.functions[number]
        findings += [Finding(function, number, "one way only", text, condition.text) for condition in told]
    return sorted(findings, key=lambda finding: finding.line)


def report_faulty(reasons: list[Reason]) -> list[Reason]:
    """Those that do not name a function and a text in it."""
    functions = read_functions()
    faulty = [reason for reason in reasons if reason.fault(functions)]
    for reason in faulty:
        print(f"\n{reason.place}: {reason.fault(functions)}: {reason}")
    return faulty


def report_findings(files: dict[str, Counts], reasons: list[Reason]) -> tuple[int, int]:
    """How many findings have no reason, and how many reasons, but for those of AT_TIMES, nothing needs."""
    unexplained = 0
    for path, counts in sorted(files.items()):
        for finding in findings_of(counts):
            matching = [reason for reason in reasons if reason.explains(path, finding)]
            for reason in matching:
                reason.needed = True
            unexplained += not matching
            place = f"{path}:{finding.line}: {finding.function}()"
            print(f"\n{place}: {finding.what}: {matching[0].why if matching else 'NO REASON GIVEN'}")
            print(finding.text)
            if finding.touched != finding.text:
                print(f"    namely: {finding.touched}")
    unneeded = [reason for reason in reasons if not reason.needed and not reason.why.startswith(AT_TIMES)]
    for reason in unneeded:
        print(f"\n{reason.place}: A REASON THAT NOTHING NEEDS: {reason}")
    return unexplained, len(unneeded)


def main(exceptions_path: str, counts_path: str | None = None) -> int:
    reasons = read_reasons(exceptions_path)
    faulty = report_faulty(reasons)
    if counts_path is None:
        return 1 if faulty else 0

    files = read_counts(counts_path)
    lines, branches = report_files(files)
    unexplained, unneeded = report_findings(files, [reason for reason in reasons if reason not in faulty])
    print(f"\n{unexplained} without a reason, {unneeded} reasons that nothing needs, {len(faulty)} that name nothing")
    reached = f"{branches:.1f} % of the branches are taken, {lines:.1f} % of the lines run"
    print(f"\n{reached} ({WANTED_PERCENT} % are wanted).")
    return 0 if not (unexplained or unneeded or faulty) and lines >= WANTED_PERCENT else 1


sys.exit(main(*sys.argv[1:]))
