"""The Python part of test/airflow/differential; runs in Airflow's virtual environment.

For every DAG: Airflow writes version 1 and creates runs of it, of every type, with no pin. These are the
oracle. Then a mutated DAG becomes version 2, version 1 is pinned, and the same calls create the same runs
again. They must be equal to the oracle. The oracle's own rows are gone by then, so that nothing can be
copied from them; only DAGs with a custom weight rule are tried beside an earlier run as well.
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import os
import sys
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

warnings.simplefilter("ignore")

import airflow.providers
import psycopg2
from airflow.api.common.trigger_dag import trigger_dag
from airflow.configuration import conf
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from compat import (
    MATERIALIZATION_RUN_TYPE,
    OPERATOR_RUN_TYPE,
    VERSION_FOLLOWS_COMMIT,
    parse_folder,
    serialize,
    write_dag,
)
from mutate import mutate
from rows import Database, differences

BUNDLE = "differential"
COMMIT_1, COMMIT_2 = "1" * 40, "2" * 40
ORDINARY_DATE = datetime(2026, 6, 1, tzinfo=timezone.utc)
RUN_AFTER = datetime(2026, 7, 1, tzinfo=timezone.utc)
# What a DAG with params that have no default must be given.
CONF = {"example_params_ui_tutorial": {"required_field": "any text that is long enough"}}
# DAGs that the extension cannot create task instances of without an earlier run to take values from.
NEEDS_EARLIER_RUN: set[str] = set()
HOOKED_COLUMNS = ("queue", "pool_slots")  # mutation_hook/airflow_local_settings.py


@dataclass(frozen=True)
class Call:
    """One way of creating a run, with everything in it fixed that could differ between two calls."""

    run_type: DagRunType
    triggered_by: DagRunTriggeredByType
    logical_date: datetime | None

    @property
    def run_id(self) -> str:
        prefix = self.run_type.value
        if self.run_type == DagRunType.MANUAL:
            prefix = f"by_{self.triggered_by.value}"  # Airflow keeps "manual" for ids of its own making
        return f"{prefix}__{self.logical_date and self.logical_date.isoformat()}"

    def create(self, dag_id: str) -> None:
        """As trigger_dag.py, scheduler_job_runner.py and backfill.py do it; commits."""
        if self.run_type == DagRunType.MANUAL:
            trigger_dag(
                dag_id=dag_id,
                triggered_by=self.triggered_by,
                run_id=self.run_id,
                run_after=RUN_AFTER,
                logical_date=self.logical_date,
                replace_microseconds=False,
                conf=CONF.get(dag_id),
            )
            return
        interval = self.logical_date and (self.logical_date, self.logical_date + timedelta(days=1))
        with create_session() as session:
            SerializedDagModel.get(dag_id, session=session).dag.create_dagrun(
                run_id=self.run_id,
                logical_date=self.logical_date,
                data_interval=interval,
                run_after=RUN_AFTER,
                conf=CONF.get(dag_id),
                run_type=self.run_type,
                triggered_by=self.triggered_by,
                state=DagRunState.QUEUED,
                session=session,
            )


def calls_for(dag: LazyDeserializedDAG) -> list[Call]:
    dated = [
        (DagRunType.SCHEDULED, DagRunTriggeredByType.TIMETABLE),
        (DagRunType.MANUAL, DagRunTriggeredByType.CLI),
        (DagRunType.BACKFILL_JOB, DagRunTriggeredByType.BACKFILL),
    ]
    undated = [
        (DagRunType.MANUAL, DagRunTriggeredByType.REST_API),
        (DagRunType(OPERATOR_RUN_TYPE), DagRunTriggeredByType.OPERATOR),
        (DagRunType(MATERIALIZATION_RUN_TYPE), DagRunTriggeredByType.REST_API),
        (DagRunType.ASSET_TRIGGERED, DagRunTriggeredByType.ASSET),
    ]
    calls = [Call(*kind, date) for date in logical_dates(dag) for kind in dated]
    return calls + [Call(*kind, None) for kind in dict.fromkeys(undated)]


def logical_dates(dag: LazyDeserializedDAG) -> list[datetime]:
    """An ordinary date; and the dates that tasks start or end at, with the moments beside them."""
    borders = set()
    for task in dag.data["dag"]["tasks"]:
        values = {**task["__var"], **task["__var"].get("partial_kwargs", {})}
        for key in ("start_date", "end_date"):
            value = values.get(key)
            value = value["__var"] if isinstance(value, dict) else value
            if value is not None:
                borders.add(datetime.fromtimestamp(0, timezone.utc) + timedelta(seconds=value))
    step = timedelta(microseconds=1)
    return sorted(
        {ORDINARY_DATE} | {border + n * step for border in sorted(borders)[-5:] for n in (-1, 0, 1)}
    )


@dataclass
class Subject:
    """A DAG under test, and what Airflow itself made of it."""

    dag: LazyDeserializedDAG
    oracle: dict[Call, dict[str, dict]] = field(default_factory=dict)
    removed_task: str | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        return self.dag.dag_id

    @property
    def has_task_instances(self) -> bool:
        return any(len(rows) > 1 for rows in self.oracle.values())

    @property
    def needs_earlier_run(self) -> bool:
        """The database does not tell a weight rule from a plugin; a task instance of an earlier run does."""
        rules = {
            values.get("weight_rule", "downstream")
            for task in self.dag.data["dag"]["tasks"]
            for values in (task["__var"], task["__var"].get("partial_kwargs", {}))
        }
        return self.dag_id in NEEDS_EARLIER_RUN or not rules <= {"downstream", "upstream", "absolute"}


class Differential:
    def __init__(self, variant: str, pinning: bool) -> None:
        self.hooked = variant == "hook"
        self.only_commit = variant == "commit"
        self.pinning = pinning
        # A commit makes a version of its own where Airflow would else change the pinned one's commit.
        diverted = self.only_commit and pinning and VERSION_FOLLOWS_COMMIT
        self.latest_version = 2 if diverted or not self.only_commit else 1
        self.database = Database(conf.get("database", "sql_alchemy_conn"))
        with create_session() as session:
            session.add(DagBundleModel(name=BUNDLE))

    def install_extension(self) -> None:
        self.database.query("CREATE EXTENSION IF NOT EXISTS airflow_pin")
        if self.pinning:
            self.database.query("SELECT airflow_pin.attach()")

    def create(self, subject: Subject, call: Call) -> dict[str, dict]:
        call.create(subject.dag_id)
        return self.database.read_run(subject.dag_id, call.run_id)

    def remove_runs(self, subject: Subject) -> None:
        self.database.query("DELETE FROM dag_run WHERE dag_id = %s", subject.dag_id)

    def pin(self, subject: Subject) -> None:
        if self.pinning:
            self.database.query("SELECT airflow_pin.pin(%s, 1)", subject.dag_id)

    def write_version(self, data: dict, commit: str) -> None:
        with create_session() as session:
            errors = write_dag(copy.deepcopy(data), BUNDLE, commit, session)
        if errors:
            raise ValueError(f"Airflow refuses the serialised DAG: {next(iter(errors.values()))}")

    def record_oracle(self, subject: Subject) -> None:
        """Airflow's own runs of version 1. The last one stays: it makes the next change a version 2."""
        self.write_version(subject.dag.data, COMMIT_1)
        for call in calls_for(subject.dag):
            self.remove_runs(subject)
            subject.oracle[call] = self.create(subject, call)

    def pin_and_deploy(self, subject: Subject) -> None:
        """Version 1 is pinned, and something else is the latest."""
        if self.only_commit:
            self.pin(subject)
            self.write_version(subject.dag.data, COMMIT_2)
            self.expect_latest(subject)
            return
        if not subject.has_task_instances:
            self.insert_task_instance(subject)
        data, subject.removed_task = mutate(subject.dag.data, only_task_set=self.hooked)
        self.write_version(data, COMMIT_2)
        self.expect_latest(subject)
        self.pin(subject)

    def expect_latest(self, subject: Subject) -> None:
        [latest] = self.database.query(
            """SELECT max(v.version_number) AS version, d.bundle_version AS commit
                 FROM dag d JOIN dag_version v USING (dag_id) WHERE dag_id = %s GROUP BY 2""",
            subject.dag_id,
        )
        if (latest["version"], latest["commit"]) != (self.latest_version, COMMIT_2):
            raise RuntimeError(f"version {self.latest_version} at commit 2 should be the latest now, not {latest}")

    def insert_task_instance(self, subject: Subject) -> None:
        """Airflow overwrites a version that has none in place."""
        self.database.query(
            """INSERT INTO task_instance (id, task_id, dag_id, run_id, dag_version_id, pool, pool_slots, try_number)
               SELECT gen_random_uuid(), 'was once here', dag_id, run_id, created_dag_version_id, 'default_pool', 1, 0
                 FROM dag_run WHERE dag_id = %s""",
            subject.dag_id,
        )

    def check(self, subject: Subject) -> None:
        """Creates the runs again, under the pin, and compares."""
        may_fail = self.pinning and subject.needs_earlier_run and not self.only_commit
        if may_fail:
            call, expected = next(iter(subject.oracle.items()))
            actual = self.create(subject, call)
            self.report(subject, call, differences(*self.known(subject, expected, actual)))
        for call, expected in subject.oracle.items():
            self.remove_runs(subject)
            actual = self.create(subject, call)
            if may_fail:
                found = self.should_have_failed(subject, call, actual)
            else:
                found = self.decision_problems(subject, call) if self.pinning else []
                found = found or differences(*self.known(subject, expected, actual))
            self.report(subject, call, found)
        self.remove_runs(subject)

    def known(self, subject: Subject, *runs: dict[str, dict]) -> tuple[dict, ...]:
        """The runs, without what a hook would have done to a task that version 2 does not have."""
        if not self.hooked:
            return runs
        return tuple(
            {
                name: {
                    column: "(up to the hook)"
                    if row.get("task_id") == subject.removed_task and column in HOOKED_COLUMNS
                    else value
                    for column, value in row.items()
                }
                for name, row in run.items()
            }
            for run in runs
        )

    def decisions(self, subject: Subject, call: Call) -> list[dict]:
        return self.database.query(
            "SELECT * FROM airflow_pin.run_decision WHERE dag_id = %s AND run_id = %s ORDER BY id DESC",
            subject.dag_id,
            call.run_id,
        )

    def decision_problems(self, subject: Subject, call: Call) -> list[str]:
        decisions = self.decisions(subject, call)
        if not decisions:
            return ["no row in airflow_pin.run_decision"]
        if decisions[0]["action"] != "rewrite":
            return [f"run_decision says {decisions[0]['action']}: {decisions[0]['detail']}"]
        versions = (decisions[0]["requested_version"], decisions[0]["effective_version"])
        expected = (self.latest_version, 1)
        return [] if versions == expected else [f"run_decision says {versions}, expected {expected}"]

    def should_have_failed(self, subject: Subject, call: Call, actual: dict[str, dict]) -> list[str]:
        problems = []
        if actual["dag_run"]["state"] != "failed":
            problems.append(
                f"no earlier run to take values from: should have failed, is {actual['dag_run']['state']}"
            )
        decisions = self.decisions(subject, call)
        if not decisions or decisions[0]["action"] != "failed" or not decisions[0]["detail"]:
            problems.append("run_decision does not say why the run failed")
        return problems

    def report(self, subject: Subject, call: Call, found: list[str]) -> None:
        subject.problems += [f"{call.run_id}: {line}" for line in found]


def example_folders() -> list[Path]:
    """Where Airflow and the installed providers ship example DAGs."""
    core = Path(airflow.__path__[0]) / "example_dags"
    return [core] + [
        folder
        for root in airflow.providers.__path__
        for folder in sorted(Path(root).glob("**/example_dags"))
        if folder.is_dir()
    ]


def load_dags(folders: list[Path]) -> tuple[dict[str, LazyDeserializedDAG], dict[str, str]]:
    """The DAGs by id, and why Airflow has no use for some."""
    dags, refused = {}, {}
    for folder in folders:
        bag = parse_folder(folder, BUNDLE)
        for path, error in bag.import_errors.items():
            refused[os.path.join(folder.name, os.path.basename(path))] = error.strip().splitlines()[-1]
        for dag_id, dag in bag.dags.items():
            try:
                dags[dag_id] = serialize(dag)
            except Exception as error:
                refused[dag_id] = f"cannot be serialised: {first_line(error)}"
    return dags, refused


def first_line(error: Exception) -> str:
    if isinstance(error, psycopg2.Error):  # raised by our own session: its detail and hint are worth reading
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"{type(error).__name__}: {(str(error).strip() or '(no message)').splitlines()[0]}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--examples", action="store_true")
    parser.add_argument("--dag", default="*")
    parser.add_argument("--no-pin", dest="pinning", action="store_false")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    print(f"== differential test, {arguments.variant}", flush=True)
    dags, refused = load_dags([arguments.folder])
    if refused:
        print(f"Airflow does not take our own DAGs: {refused}")
        return 1
    own = set(dags)
    if arguments.examples:
        examples, refused = load_dags(example_folders())
        dags |= examples
    subjects = [
        Subject(dag) for dag_id, dag in sorted(dags.items()) if fnmatch.fnmatch(dag_id, arguments.dag)
    ]

    differential = Differential(arguments.variant, arguments.pinning)
    able = []
    for subject in subjects:
        try:
            differential.record_oracle(subject)
            able.append(subject)
        except Exception as error:
            refused[subject.dag_id] = first_line(error)
    differential.install_extension()
    for subject in able:
        try:
            differential.pin_and_deploy(subject)
            differential.check(subject)
        except Exception as error:
            subject.problems.append(first_line(error))
            if differential.database.connection.closed:
                print(
                    f"DIFFERENT: {subject.dag_id}: the server ended the connection, nothing more can be said"
                )
                return 1

    for name, reason in sorted(refused.items()):
        print(f"not counted: {name}: Airflow itself cannot create a run: {reason[:300]}")
    for subject in able:
        if subject.problems:
            print(f"DIFFERENT: {subject.dag_id}")
            for line in subject.problems[:12]:
                print(f"    {line}")
            if len(subject.problems) > 12:
                print(f"    and {len(subject.problems) - 12} more")
    equal = sum(not subject.problems for subject in able)
    runs = sum(len(subject.oracle) for subject in able)
    print(
        f"{equal} of {len(able)} equal ({arguments.variant}: {runs} runs, {len(refused)} not counted)",
        flush=True,
    )
    return 0 if able and equal == len(able) and not own & set(refused) else 1


if __name__ == "__main__":
    sys.exit(main())
