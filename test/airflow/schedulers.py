"""The Python part of test/airflow/live --schedulers; runs in Airflow's virtual environment.

Three schedulers make runs of a dozen DAGs at the same time, while the pins of these move, are rolled back and
are taken off. Version, commit and tasks of every run must be those of one version, and of one that was in force
when the run was inserted. Nothing is executed: the schedulers themselves do empty tasks.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2
from lab import Lab, exit_on_signals
from story import Story, log_problems

SCHEDULERS = ("scheduler", "scheduler-2", "scheduler-3")
DAG_IDS = [f"many_{number}" for number in range(12)]
VERSIONS = (1, 2, 3)
RUNS = 30  # of each DAG

# Airflow 3.0 starts no task that the latest version lacks, so each version has those of the one before.
DAG_FILE = """\
from datetime import datetime, timedelta
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for dag_id in {dag_ids}:
    with DAG(
        dag_id,
        schedule=timedelta(seconds=1),
        start_date=datetime(2026, 1, 1),
        end_date=datetime(2026, 1, 1, 0, 0, {last}),
        catchup=True,
    ):
        for task_id in {tasks}:
            EmptyOperator(task_id=task_id)
"""

# When a run was inserted, as nothing of Airflow tells: between its statement's begin and the trigger.
INSERTED = """
CREATE SCHEMA lab;
CREATE TABLE lab.inserted (dag_id text, run_id text, since timestamptz, until timestamptz);
CREATE FUNCTION lab.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    'BEGIN
         INSERT INTO lab.inserted VALUES (NEW.dag_id, NEW.run_id, statement_timestamp(), clock_timestamp());
         RETURN NULL;
     END';
CREATE TRIGGER note AFTER INSERT ON dag_run FOR EACH ROW EXECUTE FUNCTION lab.note();
"""


@dataclass
class Move:
    """What a DAG's pin became, by a command that was running from since until done."""

    version: int
    since: datetime
    done: datetime


class Schedulers(Story):
    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.commits: dict[int, str] = {}

    def run(self) -> None:
        self.prepare()
        self.move_pins()
        self.check_runs()
        self.check_processes()

    def prepare(self) -> None:
        """All versions are there, with a pin in force, before any run is made."""
        lab = self.lab
        lab.migrate()
        lab.query("CREATE EXTENSION airflow_pin")
        lab.query("SELECT airflow_pin.attach()")
        lab.query(INSERTED)
        for version in VERSIONS:
            text = DAG_FILE.format(dag_ids=DAG_IDS, tasks=tasks_of(version), last=RUNS - 1)
            self.commits[version] = lab.commit(f"version {version}", {"many.py": text})
            if version == 1:
                lab.start_process("dag-processor", "dag-processor")
            for dag_id in DAG_IDS:
                lab.wait_for_version(dag_id, version)
            # The pin makes the next commit a version of its own; Airflow would overwrite one without runs.
            lab.query("SELECT airflow_pin.pin(dag_id, %s) FROM dag", version)
        self.moves = {dag_id: [Move(VERSIONS[-1], self.now(), self.now())] for dag_id in DAG_IDS}
        for name in SCHEDULERS:
            lab.start_scheduler(name)

    def now(self) -> datetime:
        return self.lab.value("SELECT clock_timestamp()")

    def move_pins(self) -> None:
        """One DAG's pin after the other, until all runs are there."""
        chance = random.Random(6)

        def all_there() -> bool:
            for _ in range(5):
                self.move(chance.choice(DAG_IDS), chance)
                time.sleep(0.02)
            return self.lab.value("SELECT count(*) FROM dag_run") >= RUNS * len(DAG_IDS)

        self.lab.wait_for("all runs to be made", all_there, 240)
        self.lab.wait_for(
            "all runs to finish",
            lambda: not self.lab.value("SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running')"),
            120,
        )

    def move(self, dag_id: str, chance: random.Random) -> None:
        command = chance.choice(["pin", "pin", "rollback", "unpin"])
        arguments = [dag_id, chance.choice(VERSIONS)] if command == "pin" else [dag_id]
        since = self.now()
        try:
            pins = self.lab.query(
                f"SELECT version_number FROM airflow_pin.{command}({', '.join(['%s'] * len(arguments))})", *arguments
            )
        except psycopg2.errors.NoDataFound:  # nothing to roll back to
            return
        version = VERSIONS[-1] if command == "unpin" else pins[0]["version_number"]
        self.moves[dag_id].append(Move(version, since, self.now()))

    def check_runs(self) -> None:
        runs = self.lab.query(
            """SELECT r.dag_id, r.run_id, r.state, r.bundle_version, r.creating_job_id, v.version_number,
                      i.since, i.until, t.tasks, t.versions
                 FROM dag_run r
                 JOIN lab.inserted i USING (dag_id, run_id)
                 LEFT JOIN dag_version v ON v.id = r.created_dag_version_id
                 LEFT JOIN LATERAL (
                      SELECT array_agg(t.task_id::text ORDER BY t.task_id) AS tasks,
                             array_agg(DISTINCT tv.version_number) AS versions
                        FROM task_instance t LEFT JOIN dag_version tv ON tv.id = t.dag_version_id
                       WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id) t ON true"""
        )
        problems = [problem for run in runs for problem in self.run_problems_of(run)]
        expected = RUNS * len(DAG_IDS)
        problems += [] if len(runs) == expected else [f"there are {len(runs)} runs, expected {expected}"]
        self.check("every run is of one version, and of one in force", problems[:20])
        self.report_spread(runs)

    def run_problems_of(self, run: dict) -> list[str]:
        number = run["version_number"]
        found = (run["state"], run["bundle_version"], run["tasks"], run["versions"])
        expected = ("success", self.commits.get(number), tasks_of(number or 0), [number])
        name = f"{run['dag_id']} {run['run_id']}, version {number}"
        problems = [] if found == expected else [f"{name}: {found}, expected {expected}"]
        if number not in self.in_force(run):
            problems.append(f"{name}: in force were {self.in_force(run)}")
        return problems

    def in_force(self, run: dict) -> set[int]:
        """The versions that a pin, or its absence, gave to a run that was inserted then."""
        moves = self.moves[run["dag_id"]]
        ends = [move.done for move in moves[1:]] + [None]
        return {
            move.version
            for move, end in zip(moves, ends)
            if move.since <= run["until"] and (end is None or end >= run["since"])
        }

    def report_spread(self, runs: list[dict]) -> None:
        """A test in which one scheduler makes everything, or no pin does anything, would show nothing."""
        jobs = Counter(run["creating_job_id"] for run in runs)
        versions = Counter(run["version_number"] for run in runs)
        moves = sum(map(len, self.moves.values()))
        print(f"    {len(runs)} runs by scheduler: {dict(jobs)}; by version: {dict(versions)}; {moves} moves of pins")
        self.check(
            "all schedulers made runs of all versions",
            [] if len(jobs) == len(SCHEDULERS) and set(versions) == set(VERSIONS) else [f"{jobs}, {versions}"],
        )

    def check_processes(self) -> None:
        for name in self.lab.processes:
            self.check(f"{name} is alive and logged no traceback", log_problems(self.lab, name))


def tasks_of(version: int) -> list[str]:
    return [f"t{number}" for number in range(1, version + 1)]


def main() -> int:
    exit_on_signals()
    return Schedulers(Lab(Path(sys.argv[1]))).tell("schedulers")


if __name__ == "__main__":
    sys.exit(main())
