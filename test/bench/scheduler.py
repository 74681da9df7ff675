"""The Python part of test/bench/scheduler: runs in Airflow's virtual environment.

Airflow's own scheduler loop (SchedulerJobRunner) runs in this process until every DAG that was due has a finished run.
The DAGs consist of EmptyOperators, which the scheduler finishes itself: no executor, no worker, nothing else in the way.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone

from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbundle import DagBundleModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.utils.session import create_session
from compat import serialize, write_dag
from figures import change, interval, median, number, ratios, spread, table, verdict
from sqlalchemy import text

BUNDLE = "bench"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
PATIENCE = 600  # seconds a round
NAMES = {
    "without": "without the extension",
    "attached": "attached, 1,000 pins of other DAGs",
    "pinned": "all of them pinned to an earlier version",
}


class Done(Exception):
    pass


class Scheduler(SchedulerJobRunner):
    """Notes how long each loop takes; ends when all runs have."""

    def __init__(self, dags: int) -> None:
        super().__init__(job=Job(), executors=[BaseExecutor()])
        self.dags = dags
        self.loops: list[float] = []

    def _do_scheduling(self, session) -> int:
        began = time.perf_counter()
        queued = super()._do_scheduling(session)
        session.commit()
        self.loops.append(time.perf_counter() - began)
        [[finished, failed]] = execute(
            "SELECT count(*) FILTER (WHERE state = 'success'), count(*) FILTER (WHERE state = 'failed') FROM dag_run"
        )
        if failed or sum(self.loops) > PATIENCE:
            raise ValueError(f"{finished} runs have succeeded, {failed} failed")
        if finished == self.dags:
            raise Done
        return queued


def execute(sql: str, **parameters):
    with create_session() as session:
        result = session.execute(text(sql), parameters)
        return result.fetchall() if result.returns_rows else []


def write_dags(count: int, commit: str, tasks: list[str]) -> None:
    for number_ in range(count):
        with DAG(f"bench_{number_}", schedule="@daily", start_date=START, catchup=False) as dag:
            for task in tasks:
                EmptyOperator(task_id=task)
        with create_session() as session:
            errors = write_dag(serialize(dag).data, BUNDLE, commit * 40, session)
        if errors:
            raise ValueError(errors)


def vacuum() -> None:
    with create_session() as session:
        connection = session.connection().connection.driver_connection
        session.commit()
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE dag_run, task_instance, dag, airflow_pin.run_decision")
        connection.autocommit = False


def make_due() -> None:
    execute("DELETE FROM dag_run")
    execute("UPDATE dag SET next_dagrun = d.next_dagrun, next_dagrun_create_after = d.next_dagrun_create_after,"
            " next_dagrun_data_interval_start = d.next_dagrun_data_interval_start,"
            " next_dagrun_data_interval_end = d.next_dagrun_data_interval_end, exceeds_max_non_backfill = false"
            " FROM due d WHERE d.dag_id = dag.dag_id")  # fmt: skip
    vacuum()


def set_up(kind: str) -> None:
    execute("SELECT airflow_pin.detach()" if kind == "without" else "SELECT airflow_pin.attach()")
    execute("DELETE FROM airflow_pin.pinned_version WHERE dag_id LIKE 'bench%'")
    if kind == "pinned":
        execute("SELECT airflow_pin.pin(dag_id, 1) FROM dag")


def measure(kind: str, dags: int) -> dict[str, float]:
    set_up(kind)
    make_due()
    scheduler = Scheduler(dags)
    began = time.perf_counter()
    try:
        scheduler._run_scheduler_loop()
    except Done:
        pass
    elapsed = time.perf_counter() - began
    check(kind, dags)
    return {"loop": sum(scheduler.loops) / len(scheduler.loops), "runs": dags * 60 / elapsed, "loops": len(scheduler.loops)}


def check(kind: str, dags: int) -> None:
    expected = 1 if kind == "pinned" else 2
    [[right]] = execute("SELECT count(*) FROM dag_run r JOIN dag_version v ON v.id = r.created_dag_version_id"
                        " WHERE version_number = :expected", expected=expected)  # fmt: skip
    if right != dags:
        raise ValueError(f"{right} of {dags} runs have version {expected}")


def prepare(dags: int) -> None:
    execute("CREATE EXTENSION airflow_pin")
    execute("INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, bundle_version,"
            " on_mismatch) SELECT 'other_' || n, '-infinity', 1, gen_random_uuid(), 'c', 'rewrite'"
            " FROM generate_series(1, 1000) n")  # fmt: skip
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    write_dags(dags, "1", ["extract", "load", "check"])
    # a version that has a task instance is not overwritten
    execute("INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after, clear_number, span_status, bundle_version,"
            " created_dag_version_id) SELECT dag_id, 'first', 'manual', 'success', now(), 0, 'not_started', bundle_version, id"
            " FROM dag_version")  # fmt: skip
    execute("INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, max_tries, pool, pool_slots,"
            " span_status, dag_version_id) SELECT gen_random_uuid(), 'extract', dag_id, run_id, -1, 0, 0, 'default_pool', 1,"
            " 'not_started', created_dag_version_id FROM dag_run")  # fmt: skip
    write_dags(dags, "2", ["extract", "load", "report"])
    execute("DELETE FROM dag_run")
    execute("CREATE TABLE due AS SELECT dag_id, next_dagrun, next_dagrun_create_after, next_dagrun_data_interval_start,"
            " next_dagrun_data_interval_end FROM dag")  # fmt: skip


def main() -> None:
    rounds, dags = map(int, sys.argv[1:])
    prepare(dags)
    kinds = list(NAMES)
    measure("without", dags)
    results = {kind: [] for kind in kinds}
    for round_ in range(rounds):
        for kind in kinds[round_ % 3 :] + kinds[: round_ % 3]:
            results[kind].append(measure(kind, dags))
            print(f"scheduler: round {round_ + 1}, {kind}: {results[kind][-1]}", file=sys.stderr)

    def values(kind, what):
        return [result[what] for result in results[kind]]

    rows = []
    for kind in kinds:
        loops = [value * 1000 for value in values(kind, "loop")]
        more = "" if kind == "without" else spread(ratios(values(kind, "loop"), values("without", "loop")), change)
        rows.append([NAMES[kind], spread(loops), more, spread(values(kind, "runs")), number(median(values(kind, "loops")))])
    print(f"Airflow's scheduler loop until {dags} DAGs of three tasks, all due at once, have a finished run each; {rounds}"
          " rounds in turn. Median (95 % interval).\n")  # fmt: skip
    print(table(["scheduler", "a loop, ms", "more than without", "runs a minute", "loops"], rows) + "\n")
    shares = ratios(values("attached", "loop"), values("without", "loop"))
    low, high = interval(shares)
    print(verdict("loop time with and without the extension within noise", spread(shares, change), low <= 1 <= high or high < 1))


if __name__ == "__main__":
    main()
