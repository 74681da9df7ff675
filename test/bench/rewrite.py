"""The Python part of test/bench/rewrite: runs in Airflow's virtual environment.

DAGs of 10 to 10,000 tasks have two versions, of which the older one is pinned. Airflow creates runs of them, in turn
with the pins in force and not, and the clock is on its own statements: the INSERT of the run, the bulk
insert of the task instances, the COMMIT. What the extension adds is in these.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone

from airflow import __version__, settings
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from compat import serialize, write_dag
from figures import median, percent, spread, table, verdict
from sqlalchemy import event, text

SIZES = (10, 100, 1000, 10_000)
LAYERS = 10
OTHER_DAGS = 50
OTHER_RUNS = 20
BUNDLE = "bench"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MOST_ADDED = 0.25
MOST_GROWTH = 1.5
# Of a version that has all tasks but one in common with the pinned one, and of one that has none.
VARIANTS = {"one task differs": 1, "all tasks differ": None}
# Airflow 3.0 cannot run a task that the latest version lacks, so that such versions cannot be pinned there.
RENAMES = not __version__.startswith("3.0.")


def make_dag(dag_id: str, size: int, changed: int):
    """A DAG of ten layers; the first tasks have another name, or other retries, in the later version."""
    with DAG(dag_id, schedule=None, start_date=START) as dag:
        tasks = [
            EmptyOperator(
                task_id=f"{'later' if n < changed and RENAMES else 'task'}_{n}",
                retries=3 if n < changed else 2,
            )
            for n in range(size)
        ]
        width = size // LAYERS
        for upper, lower in zip(tasks, tasks[width:]):
            upper >> lower
    dag.relative_fileloc = f"{dag_id}.py"
    return serialize(dag).data


class Clock:
    """Seconds spent in Airflow's statements, by what they are."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        event.listen(settings.engine, "before_cursor_execute", self.before)
        event.listen(settings.engine, "after_cursor_execute", self.after)
        original = DagRun._create_task_instances

        def create_task_instances(run, dag_id, tasks, *arguments, **options):
            tasks = list(tasks)  # computing the rows is no part of inserting them
            began = time.perf_counter()
            original(run, dag_id, tasks, *arguments, **options)
            self.spent["task instances"] += time.perf_counter() - began

        DagRun._create_task_instances = create_task_instances

    def before(self, connection, cursor, statement, *_) -> None:
        self.began = time.perf_counter()

    def after(self, connection, cursor, statement, *_) -> None:
        if statement.startswith("INSERT INTO dag_run "):
            self.spent["run"] += time.perf_counter() - self.began
        elif statement.startswith("INSERT INTO task_instance "):
            self.spent["statement"] += time.perf_counter() - self.began

    def commit(self, session) -> None:
        began = time.perf_counter()
        session.commit()
        self.spent["commit"] += time.perf_counter() - began


def create_run(clock: Clock, dag, number: int, pinned: bool) -> dict[str, float]:
    clock.spent.clear()
    began = time.perf_counter()
    with create_session() as session:
        session.execute(text(f"SET LOCAL airflow_pin.enabled = {'on' if pinned else 'off'}"))
        dag.create_dagrun(
            run_id=f"scheduled__{number}",
            logical_date=START + timedelta(minutes=number),
            data_interval=(START, START),
            run_after=START,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.QUEUED,
            creating_job_id=1,
            session=session,
        )
        clock.commit(session)
    clock.spent["all"] = time.perf_counter() - began
    return dict(clock.spent)


def write_version(data: dict, commit: str) -> None:
    with create_session() as session:
        errors = write_dag(data, BUNDLE, commit, session)
    if errors:
        raise ValueError(errors)


def deploy(clock: Clock, dag_id: str, size: int, changed: int):
    """Version 1 with a run, which makes the next one version 2; version 1 is pinned."""
    write_version(make_dag(dag_id, size, 0), "1" * 40)
    create_run(clock, latest(dag_id), 0, False)
    write_version(make_dag(dag_id, size, changed), "2" * 40)
    execute("SELECT airflow_pin.pin(:dag, 1)", dag=dag_id)
    return latest(dag_id)


def latest(dag_id: str):
    with create_session() as session:
        return SerializedDagModel.get(dag_id, session=session).dag


def execute(sql: str, **parameters):
    with create_session() as session:
        result = session.execute(text(sql), parameters)
        return result.fetchall() if result.returns_rows else []


def make_history(clock: Clock) -> None:
    """Runs of other DAGs, and statistics of them, by which a server in use chooses its indexes."""
    for number in range(OTHER_DAGS):
        dag_id = f"other_{number}"
        write_version(make_dag(dag_id, SIZES[0], 0), "1" * 40)
        dag = latest(dag_id)
        for run in range(OTHER_RUNS):
            create_run(clock, dag, run, False)
    execute("ANALYZE")


def check(dag_id: str, size: int, changed: int, rounds: int) -> None:
    """Were the runs rewritten, and only those that should be?"""
    [[rewritten, kept]] = execute(
        "SELECT count(*) FILTER (WHERE t.task_id LIKE 'task_%' AND v.version_number = 1),"
        " count(*) FILTER (WHERE v.version_number = 2) FROM task_instance t"
        " JOIN dag_version v ON v.id = t.dag_version_id WHERE t.dag_id = :dag AND t.run_id <> 'scheduled__0'",
        dag=dag_id,
    )
    if (rewritten, kept) != (rounds * size, rounds * size):
        raise ValueError(f"{dag_id}: {rewritten} task instances rewritten, {kept} not; should be {rounds * size}")


def measure(clock: Clock, size: int, changed: int, rounds: int):
    """Pairs of runs, one with the pin in force and one without; the first pair warms up."""
    dag_id = f"bench_{size}_{changed}"
    dag = deploy(clock, dag_id, size, changed)
    pairs = []
    for number in range(rounds + 1):
        order = (False, True) if number % 2 else (True, False)
        pair = {pinned: create_run(clock, dag, 2 * number + 1 + pinned, pinned) for pinned in order}
        pairs.append(pair)
    check(dag_id, size, changed, rounds + 1)
    execute("DELETE FROM task_instance WHERE dag_id = :dag", dag=dag_id)
    execute("DELETE FROM dag_run WHERE dag_id = :dag", dag=dag_id)
    return pairs[1:]


def added(pair) -> float:
    return sum(pair[True][part] - pair[False][part] for part in ("run", "statement", "commit"))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def row(variant: str, size: int, pairs) -> list[str]:
    extra = [added(pair) for pair in pairs]
    return [
        variant,
        f"{size:,}",
        milliseconds(median(pair[False]["task instances"] for pair in pairs)),
        milliseconds(median(pair[False]["statement"] for pair in pairs)),
        milliseconds(median(pair[False]["all"] for pair in pairs)),
        spread(extra, milliseconds),
        f"{median(extra) / size * 1e6:.0f}",
        spread(shares(pairs), percent),
        spread([added(pair) / pair[False]["all"] for pair in pairs], percent),
    ]


def shares(pairs) -> list[float]:
    return [added(pair) / pair[False]["task instances"] for pair in pairs]


def main() -> None:
    rounds = int(sys.argv[1])
    execute("CREATE EXTENSION airflow_pin")
    execute("SELECT airflow_pin.attach()")
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    clock = Clock()
    make_history(clock)
    measured = {}
    for size in SIZES:
        for variant, changed in VARIANTS.items():
            repeat = max(3, min(rounds, rounds * 2000 // size))
            measured[variant, size] = measure(clock, size, size if changed is None else changed, repeat)

    print(
        f"Airflow {__version__} creates runs of a DAG that is pinned to the version before the latest, in turn with the pin in"
        f" force and not: {rounds} pairs, fewer of the largest. “Added” is what the INSERTs and the COMMIT"
        " take longer; “bulk insert” is the call of SQLAlchemy that inserts the same task instances, “statement” its"
        " part in driver and server. Median (95 % interval).\n"
    )
    head = ["later version", "tasks", "bulk insert, ms", "statement, ms", "whole run, ms", "added, ms", "µs a task",
            "of the bulk insert", "of the whole run"]  # fmt: skip
    print(table(head, [row(*key, pairs) for key, pairs in measured.items()]) + "\n")
    for variant in VARIANTS:
        worst = max(SIZES[1:], key=lambda size: median(shares(measured[variant, size])))
        share = median(shares(measured[variant, worst]))
        found = f"at most {percent(share)} ({worst:,} tasks)"
        print(verdict(f"adds at most 25 % at 100 tasks and above, {variant}", found, share <= MOST_ADDED))
        per_task = [median(map(added, measured[variant, size])) / size for size in SIZES[1:]]
        growth = max(per_task) / per_task[0]
        found = f"a task takes at most {growth:.1f} × the time that it takes in a run of {SIZES[1]}"
        print(verdict(f"linear in tasks from {SIZES[1]} on, {variant}", found, growth < MOST_GROWTH))


if __name__ == "__main__":
    main()
