"""A test with a lab that tells a story: what is checked on the way, and how it ends."""

from __future__ import annotations

import re
import sys

from lab import Lab, LabError


class Story:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.passed = 0
        self.failed = 0

    def run(self) -> None:
        raise NotImplementedError

    def check(self, name: str, problems: object) -> None:
        """problems: empty when all is well, else a list of what is not, or the only such thing."""
        if problems:
            self.failed += 1
            print(f"not ok: {name}")
            for problem in problems if isinstance(problems, list) else [problems]:
                print(f"    {problem}")
        else:
            self.passed += 1
            print(f"ok: {name}")
        sys.stdout.flush()

    def tell(self, name: str) -> int:
        """The whole story; returns the exit status."""
        print(f"== {name}", flush=True)
        try:
            self.run()
        except LabError as error:
            self.check("the story goes to its end", error)
        finally:
            self.lab.close()
        print(f"{name}: {self.passed} passed, {self.failed} failed, 0 skipped")
        return 1 if self.failed else 0


def log_problems(lab: Lab, name: str) -> list[str]:
    """Whether a process of Airflow has ended, or had an error that it did not expect."""
    log = without_workloads(lab.log(name))
    found = re.search(r"Traceback|\bCRITICAL\b|\[critical|PendingRollback", log)
    problems = [log[max(0, found.start() - 1500) : found.start() + 1500]] if found else []
    return problems if lab.processes[name].poll() is None else [log[-1500:], *problems]


def without_workloads(log: str) -> str:
    """The log without what LocalExecutor's worker processes write into it of their tasks."""
    entries = re.split(r"(?m)^(?=\[?\d{4}-\d\d-\d\d[T ])", log)
    workload = re.compile(r"airflow\.executors\.local_executor.*|(?s:.*)airflow/sdk/")
    return "".join(entry for entry in entries if not workload.match(entry))
