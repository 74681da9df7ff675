"""The Python part of test/airflow/commits; runs in Airflow's virtual environment.

A story is a list of steps for a DAG of its own: commits, each of which changes the DAG's tasks or only its code, the time
that passes before each, and what is done to the pin. After each step Airflow creates a run. What is looked at: the tasks
of a run, of a version, and of a pin are those that its commit has.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

warnings.simplefilter("ignore")

import psycopg2
from airflow.configuration import conf
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from checks import Checks
from compat import AIRFLOW, parse_folder, serialize, write_dag
from rows import Database

BUNDLE = "commits"
TEMPLATE = "commits_template"
# Tasks are only added: Airflow 3.0 runs no task that the latest version lacks, and refuses such pins.
DAG_FILE = """\
from airflow.sdk import DAG, BaseOperator

with DAG({dag_id!r}, schedule=None):
    for number in range({tasks}):
        BaseOperator(task_id=f"task_{{number}}")
# {commit}
"""
MOST_TASKS = 9


class Story:
    """A DAG in a repository, and what its commits are."""

    def __init__(self, database: Database, folder: Path, templates: dict[int, str], name: str) -> None:
        self.database = database
        self.name = name
        self.dag_id = name.replace(" ", "_").replace("+", "_")
        self.file = folder / f"{self.dag_id}.py"
        self.templates = templates
        self.tasks_at: dict[str, int] = {}  # of each commit
        self.source = ""  # of the pinned version, when it was pinned
        self.commit = ""
        self.mixed: set[str] = set()  # runs that Airflow created without a pin
        self.runs = 0
        self.problems: list[str] = []

    # --- What happens ----------------------------------------------------------------------------------

    def push(self, kind: str) -> None:
        tasks = self.tasks_at.get(self.commit, 0) + (kind == "tasks")
        self.commit = f"{self.dag_id}-c{len(self.tasks_at) + 1}"
        self.tasks_at[self.commit] = tasks
        self.file.write_text(DAG_FILE.format(dag_id=self.dag_id, tasks=tasks, commit=self.commit))

    def parse(self) -> None:
        """As the DAG processor does, at the newest commit."""
        text = self.templates[self.tasks_at[self.commit]].replace(TEMPLATE, self.dag_id)
        data = json.loads(text)
        data["dag"]["fileloc"] = str(self.file)
        with create_session() as session:
            errors = write_dag(data, BUNDLE, self.commit, session)
        if errors:
            self.problems.append(f"Airflow does not take the DAG: {errors}")

    def later(self) -> None:
        """More than the interval passes."""
        for table, columns in {
            "dag": ["last_parsed_time"],
            "dag_version": ["created_at"],
            "serialized_dag": ["created_at", "last_updated"],
            "dag_code": ["last_updated"],
            "dag_run": ["queued_at"],
        }.items():
            changes = ", ".join(f"{column} = {column} - interval '2 min'" for column in columns)
            self.database.query(f"UPDATE {table} SET {changes} WHERE dag_id = %s", self.dag_id)

    def run(self) -> None:
        """Airflow creates one; the pin, if there is one, holds it."""
        pin = self.pinned()
        self.runs += 1
        run_id = f"run_{self.runs}"
        date = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=self.runs)
        with create_session() as session:
            SerializedDagModel.get(self.dag_id, session=session).dag.create_dagrun(
                run_id=run_id,
                logical_date=date,
                data_interval=(date, date),
                run_after=date,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.CLI,
                state=DagRunState.QUEUED,
                session=session,
            )
        if pin is None:
            self.mixed.add(run_id)
            return
        [run] = self.database.query(
            "SELECT v.version_number, r.bundle_version, r.state FROM dag_run r"
            " JOIN dag_version v ON v.id = created_dag_version_id WHERE r.dag_id = %s AND run_id = %s",
            self.dag_id,
            run_id,
        )
        expected = (pin["version_number"], pin["bundle_version"], "queued")
        if tuple(run.values()) != expected:
            self.problems.append(f"{run_id} is {tuple(run.values())}, and the pin is {expected}")

    def pin(self, arguments: str = "") -> str:
        """Returns the SQLSTATE of the error, if there is one."""
        return self.command(f"SELECT airflow_pin.pin(%s{arguments})")

    def command(self, sql: str) -> str:
        try:
            self.database.query(sql, self.dag_id)
        except psycopg2.Error as error:
            if error.pgcode not in ("02000", "P0002"):
                self.problems.append(f"{sql}: {error}")
            return error.pgcode or ""
        # While nothing held the version, as between unpin() and rollback(), a parse may have changed its source.
        self.source = (self.pinned() or {}).get("source_now")
        self.look_at_pin(sql)
        return ""

    # --- What is looked at -----------------------------------------------------------------------------

    def pinned(self) -> dict | None:
        rows = self.database.query(
            "SELECT version_number, dag_version_id, bundle_version, c.source_code_hash AS source_now"
            " FROM airflow_pin.pinned_version p LEFT JOIN dag_code c USING (dag_version_id) WHERE p.dag_id = %s",
            self.dag_id,
        )
        return rows[0] if rows else None

    def version_tasks(self, version: str) -> int:
        return self.database.value(
            "SELECT json_array_length(data::json #> '{dag,tasks}') FROM serialized_dag WHERE dag_version_id = %s",
            version,
        )

    def look_at_pin(self, what: str) -> None:
        pin = self.pinned()
        if pin is None:
            return
        tasks = self.version_tasks(pin["dag_version_id"])
        if tasks != self.tasks_at[pin["bundle_version"]]:
            self.problems.append(f"{what}: pinned are {tasks} tasks at {pin['bundle_version']}")
        if pin["source_now"] != self.source:
            self.problems.append(f"{what}: the pinned version {pin['version_number']} has other source now")

    def look_at_versions(self) -> None:
        for version in self.database.query(
            "SELECT id, version_number, bundle_version FROM dag_version WHERE dag_id = %s", self.dag_id
        ):
            tasks = self.version_tasks(version["id"])
            if tasks != self.tasks_at[version["bundle_version"]]:
                self.problems.append(
                    f"version {version['version_number']} has {tasks} tasks at {version['bundle_version']}"
                )

    def look_at_runs(self) -> None:
        for run in self.database.query(
            "SELECT r.run_id, r.bundle_version AS commit, count(t.id) AS tasks,"
            " count(DISTINCT t.dag_version_id) AS versions FROM dag_run r"
            " JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id WHERE r.dag_id = %s GROUP BY r.id",
            self.dag_id,
        ):
            wrong = run["tasks"] != self.tasks_at[run["commit"]] or run["versions"] != 1
            if wrong and run["run_id"] not in self.mixed:
                self.problems.append(f"{run['run_id']} has {run['tasks']} tasks at {run['commit']}")

    def mixes(self) -> int:
        """Runs that Airflow has mixed by itself."""
        return sum(
            run["tasks"] != self.tasks_at[run["commit"]]
            for run in self.database.query(
                "SELECT r.bundle_version AS commit, count(t.id) AS tasks FROM dag_run r"
                " JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id WHERE r.dag_id = %s GROUP BY r.id",
                self.dag_id,
            )
        )

    def end(self) -> None:
        """The first parse after the interval makes the right version, which is pinned by its commit."""
        self.later()
        self.parse()
        if state := self.pin(f", bundle_version => '{self.commit}'"):
            self.problems.append(f"the last commit is not parsed in the end: {state}")
        elif self.pinned()["bundle_version"] != self.commit:
            self.problems.append(f"pinned is {self.pinned()}")
        self.run()
        # Every commit that can be pinned is pinned at its own tasks; so is each version, and what was before.
        for commit in self.tasks_at:
            self.pin(f", bundle_version => '{commit}'")
        versions = self.database.query("SELECT version_number AS n FROM dag_version WHERE dag_id = %s", self.dag_id)
        for version in versions:
            self.pin(f", {version['n']}")
            for commit in self.tasks_at:
                self.pin(f", {version['n']}, bundle_version => '{commit}'")
        self.command("SELECT airflow_pin.unpin(%s)")
        self.command("SELECT airflow_pin.rollback(%s)")
        self.look_at_versions()
        self.look_at_runs()


@dataclass
class Teller:
    database: Database
    folder: Path
    templates: dict[int, str]
    checks: Checks
    mixes: int = 0
    told: list[str] = field(default_factory=list)

    def tell(self, name: str, steps: list[tuple[str, str, str]], first: str) -> None:
        """steps: what a commit changes, whether it is parsed soon or late, what is done to the pin after it."""
        story = Story(self.database, self.folder, self.templates, name)
        story.push("tasks")
        story.parse()
        self.act(story, first)
        story.run()
        for change, when, action in steps:
            if when == "late":
                story.later()
            if change != "nothing":
                story.push(change)
            story.parse()
            story.look_at_pin("parse")
            self.act(story, action)
            story.run()
        story.end()
        self.mixes += story.mixes()
        self.checks.check(name, "; ".join(dict.fromkeys(story.problems)))

    def act(self, story: Story, action: str) -> None:
        if action == "pin":
            story.pin()
        elif action == "promote":
            story.pin(f", bundle_version => '{story.commit}'")
        elif action == "first":
            story.pin(", 1")
        elif action != "nothing":
            story.command(f"SELECT airflow_pin.{action}(%s)")


def templates(folder: Path) -> dict[int, str]:
    """The serialized DAG of each number of tasks."""
    found = {}
    for tasks in range(1, MOST_TASKS + 1):
        place = folder / f"template_{tasks}"
        place.mkdir()
        (place / "dag.py").write_text(DAG_FILE.format(dag_id=TEMPLATE, tasks=tasks, commit="template"))
        bag = parse_folder(place, BUNDLE)
        assert not bag.import_errors, bag.import_errors
        found[tasks] = json.dumps(serialize(bag.dags[TEMPLATE]).data)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--random", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    database = Database(conf.get("database", "sql_alchemy_conn"))
    database.query("CREATE EXTENSION airflow_pin")
    database.query("SELECT airflow_pin.attach()")
    checks = Checks()
    teller = Teller(database, arguments.folder, templates(arguments.folder), checks)

    changes, times = ("tasks", "code"), ("soon", "late")
    kinds = list(itertools.product(changes, times))
    for first in ("nothing", "pin"):
        for one, two in itertools.product(kinds, kinds):
            name = " ".join(("unpinned" if first == "nothing" else "pinned", "+".join(one), "+".join(two)))
            teller.tell(name, [(*one, "nothing"), (*two, "nothing")], first)
    for one, two in itertools.product(kinds, kinds):
        teller.tell(f"promoted {'+'.join(one)} {'+'.join(two)}", [(*one, "promote"), (*two, "pin")], "pin")
    chance = random.Random(arguments.seed)
    actions = ("nothing", "nothing", "pin", "promote", "first", "rollback", "unpin")
    for number in range(arguments.random):
        steps = [
            (chance.choice((*changes, "nothing")), chance.choice(times), chance.choice(actions)) for _ in range(7)
        ]
        teller.tell(f"random {arguments.seed} {number}", steps, chance.choice(actions[1:4]))
    checks.check("without a pin Airflow has mixed commits, which the test therefore sees", not teller.mixes)
    version = ".".join(map(str, AIRFLOW))
    print(f"commits {version}: {checks.passed} passed, {checks.failed} failed, 0 skipped", flush=True)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)
