"""The Python part of test/airflow/hold; runs in Airflow's virtual environment.

Two DAGs with one and the same schedule: "twin", of which there is only version 1, and "held", whose version 1 is pinned
while its latest version has another schedule, other limits, cannot be parsed, or is gone. Airflow's own DAG processor and
scheduler classes work on both, step by step, in an order that a seed gives. After each step that brings the row of dag up
to date, every column of it that has to do with schedule and limits must be the same, and so must the runs.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

warnings.simplefilter("ignore")

from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable, MultipleCronTriggerTimetable
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit
from compat import AIRFLOW, accepted, serialize, write_dag
from sqlalchemy import text

BUNDLE = "hold"
COLUMNS = """next_dagrun next_dagrun_data_interval_start next_dagrun_data_interval_end next_dagrun_create_after
    next_dagrun_partition_key next_dagrun_partition_date timetable_summary timetable_description timetable_type
    timetable_partitioned timetable_periodic partition_mapper_info max_active_tasks max_active_runs
    max_consecutive_failed_dag_runs has_task_concurrency_limits fail_fast allowed_run_types exceeds_max_non_backfill
    has_import_errors is_stale is_paused""".split()
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
NOW = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)

# What the pinned version has: hours or more apart, so that no boundary lies between what is done to one and the other.
SCHEDULES = {
    "daily": lambda: "@daily",
    "hourly": lambda: "0 * * * *",
    "odd hours": lambda: "30 1,5,9,13,17,21 * * 1-6",
    "zone": lambda: CronDataIntervalTimetable("15 2 * * *", timezone="Europe/Berlin"),
    "trigger": lambda: CronTriggerTimetable("0 */3 * * *", timezone="America/New_York"),
    "trigger with interval": lambda: CronTriggerTimetable("0 3 * * *", timezone="UTC", interval=timedelta(hours=6)),
    "several": lambda: MultipleCronTriggerTimetable("0 1 * * *", "30 2,14 * * *", timezone="UTC"),
    "delta": lambda: timedelta(hours=7),
    "delta interval": lambda: DeltaDataIntervalTimetable(timedelta(hours=5, minutes=30)),
    "delta trigger": lambda: DeltaTriggerTimetable(timedelta(hours=4), interval=timedelta(hours=1)),
    "once": lambda: "@once",
    "never": lambda: None,
}
# What the latest version has. Minutes are in it, which are not computed.
LATEST = {
    "never": lambda: None,
    "asset": lambda: [Asset("file:///a")],
    "minutes": lambda: "* * * * *",
    "once": lambda: "@once",
    "yearly": lambda: "@yearly",
    "delta": lambda: timedelta(minutes=10),
}


class Scheduler(SchedulerJobRunner):
    """Airflow's, of which single steps are called."""

    def __init__(self) -> None:
        super().__init__(**accepted(SchedulerJobRunner.__init__, job=Job(), executors=[BaseExecutor()]))
        with create_session() as session:
            session.add(self.job)
            session.flush()
            self.job_id = self.job.id
            session.expunge(self.job)

    @contextmanager
    def transaction(self):
        with create_session() as session, prohibit_commit(session) as guard:
            yield guard, session

    def create(self) -> None:
        with create_session() as session, prohibit_commit(session) as guard:
            self._create_dagruns_for_dags(guard, session)

    def start(self) -> None:
        with create_session() as session, prohibit_commit(session) as guard:
            self._start_queued_dagruns(session)
            guard.commit()

    def schedule(self) -> None:
        with create_session() as session, prohibit_commit(session) as guard:
            self._schedule_all_dag_runs(guard, DagRun.get_running_dag_runs_to_examine(session=session), session)


def execute(sql: str, **parameters) -> list:
    with create_session() as session:
        result = session.execute(text(sql), parameters)
        return [tuple(row) for row in result] if result.returns_rows else []


def make_dag(dag_id: str, schedule, options: dict, tasks: int):
    with DAG(dag_id, schedule=schedule, **options) as dag:
        for number in range(tasks):
            BashOperator(task_id=f"task_{number}", bash_command="true")
    data = serialize(dag).data
    # as the DAG processor sets it: where import errors are looked for
    data["dag"]["relative_fileloc"] = f"{dag_id}.py"
    return data


class Pair:
    """A DAG that is held and its twin."""

    def __init__(self, number: int, random_: random.Random) -> None:
        self.random = random_
        self.name, schedule = random_.choice(list(SCHEDULES.items()))
        self.latest_name, latest = random_.choice(list(LATEST.items()))
        self.held, self.twin = f"held_{number}", f"twin_{number}"
        limits = {"max_active_runs": random_.choice([1, 2, 3, 16]), "max_active_tasks": random_.choice([1, 7, 16]),
                  "max_consecutive_failed_dag_runs": random_.choice([0, 4])}  # fmt: skip
        # what is not given is as configured
        limits = {name: value for name, value in limits.items() if random_.random() < 0.8}
        others = {"max_active_runs": random_.choice([1, 2, 5]), "max_active_tasks": 3, "fail_fast": True,
                  "max_consecutive_failed_dag_runs": 1}  # fmt: skip
        options = {"start_date": TODAY - timedelta(days=random_.choice([3, 2, 1])), "catchup": random_.choice([True, False])}
        if random_.random() < 0.2:
            options["end_date"] = NOW - timedelta(hours=random_.choice([3, 20]))
        if AIRFLOW >= (3, 2) and random_.random() < 0.3:
            limits["allowed_run_types"] = ["scheduled", "manual"]
        options |= limits
        self.options = options
        self.data = {dag_id: make_dag(dag_id, schedule(), options, 2) for dag_id in (self.held, self.twin)}
        newer = {**others, "start_date": TODAY - timedelta(days=1), "catchup": random_.choice([True, False])}
        self.latest = make_dag(self.held, latest(), newer, 3)
        self.pinned_before = random_.random() < 0.5
        # without catchup the first run of a delta begins now, to the microsecond, and the others follow from there
        self.moves = self.name.startswith("delta") and not options["catchup"]

    def __str__(self) -> str:
        return f"{self.name} {self.options} under {self.latest_name}"

    def write(self, data: dict, commit: str) -> None:
        with create_session() as session:
            errors = write_dag(data, BUNDLE, commit * 40, session)
        if errors:
            raise ValueError(errors)

    def begin(self, pin: bool) -> None:
        for data in self.data.values():
            self.write(data, "1")
        if not pin:
            self.parse()
            return
        if self.pinned_before:
            self.pin()
        else:
            # a version that has no task instance would be overwritten
            execute("INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, max_tries, pool,"
                    " pool_slots, span_status, dag_version_id, state) SELECT gen_random_uuid(), 'task_0', v.dag_id, 'first', -1, 0,"
                    " 0, 'default_pool', 1, 'not_started', v.id, 'success' FROM dag_version v WHERE v.dag_id = :dag",
                    dag=self.insert_run("first", self.held))  # fmt: skip
            self.insert_run("first", self.twin)
        self.parse()
        if not self.pinned_before:
            self.pin()
            self.write(self.data[self.twin], "1")

    def insert_run(self, run_id: str, dag_id: str, state: str = "success") -> str:
        extra = {"creating_job_id": "NULL"}
        execute("INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after, clear_number, span_status, bundle_version,"
                " created_dag_version_id, log_template_id) SELECT v.dag_id, :run, 'manual', :state, now(), 0, 'not_started',"
                " :commit, v.id, (SELECT max(id) FROM log_template) FROM dag_version v WHERE v.dag_id = :dag"
                " AND v.version_number = 1",
                run=run_id, dag=dag_id, state=state, commit="1" * 40)  # fmt: skip
        del extra
        return dag_id

    def pin(self) -> None:
        execute("SELECT airflow_pin.pin(:dag, 1, schedule => 'pinned')", dag=self.held)

    # --- Steps -----------------------------------------------------------------------------------------

    def parse(self) -> None:
        self.write(self.latest, "2")
        self.write(self.data[self.twin], "1")

    def break_(self) -> None:
        """The file of the held DAG cannot be parsed any more."""
        from airflow.dag_processing.collection import update_dag_parsing_results_in_db

        if AIRFLOW >= (3, 1):
            errors = {(BUNDLE, f"{self.held}.py"): "SyntaxError"}
        else:
            [[fileloc]] = execute("SELECT fileloc FROM dag WHERE dag_id = :dag", dag=self.held)
            errors = {}  # there an error stops all DAGs of the file, and these have one and the same
            execute("UPDATE dag SET has_import_errors = true, is_stale = true WHERE dag_id = :dag", dag=self.held)
            del fileloc
        with create_session() as session:
            update_dag_parsing_results_in_db(
                **accepted(update_dag_parsing_results_in_db, bundle_name=BUNDLE, bundle_version="3" * 40, dags=[],
                           import_errors=errors, parse_duration=None, warnings=set(), session=session))  # fmt: skip
        self.write(self.data[self.twin], "1")

    def remove(self) -> None:
        """A later commit has the DAG no more: DagFileProcessorManager.deactivate_stale_dags()."""
        execute("UPDATE dag SET is_stale = true WHERE dag_id = :dag", dag=self.held)

    def pause(self) -> None:
        for paused in ("true", "false"):
            execute(f"UPDATE dag SET is_paused = {paused} WHERE dag_id IN (:held, :twin)", held=self.held, twin=self.twin)

    def end(self, state: str) -> None:
        """The oldest run that is running ends, in both."""
        for dag_id in (self.held, self.twin):
            execute("UPDATE task_instance t SET state = :state, start_date = now(), end_date = now() FROM dag_run r"
                    " WHERE r.id = (SELECT id FROM dag_run WHERE dag_id = :dag AND state = 'running'"
                    " ORDER BY run_after, logical_date LIMIT 1) AND t.dag_id = r.dag_id AND t.run_id = r.run_id",
                    dag=dag_id, state=state)  # fmt: skip

    def stop(self) -> None:
        """Somebody marks a run in the UI, which writes no dag."""
        for dag_id in (self.held, self.twin):
            execute("UPDATE dag_run SET state = 'failed', end_date = now() WHERE id = (SELECT id FROM dag_run"
                    " WHERE dag_id = :dag AND state IN ('queued', 'running') ORDER BY run_after, logical_date LIMIT 1)",
                    dag=dag_id)  # fmt: skip

    def manual(self, number: int, date: datetime | None) -> None:
        for dag_id in (self.held, self.twin):
            self.insert_run(f"by_hand_{number}", dag_id, "queued")
            if date:
                execute("UPDATE dag_run SET logical_date = :date, data_interval_start = :date, data_interval_end = :date,"
                        " state = 'success' WHERE dag_id = :dag AND run_id = :run", date=date, dag=dag_id,
                        run=f"by_hand_{number}")  # fmt: skip

    # --- Comparison ------------------------------------------------------------------------------------

    def differences(self) -> list[str]:
        held, twin = (self.row(dag_id) for dag_id in (self.held, self.twin))
        found = [
            f"{column}: {held[column]!r} instead of {twin[column]!r}"
            for column in twin
            if not self.same(held[column], twin[column])
        ]
        held_runs, twin_runs = (self.runs(dag_id) for dag_id in (self.held, self.twin))
        if len(held_runs) != len(twin_runs) or not all(
            self.same(value, other) for run, twin_run in zip(held_runs, twin_runs) for value, other in zip(run, twin_run)
        ):
            found.append(f"runs: {held_runs} instead of {twin_runs}")
        return found

    def same(self, value, other) -> bool:
        if value == other or not self.moves or not isinstance(value, str) or not isinstance(other, str):
            return value == other
        try:
            return abs(datetime.fromisoformat(value) - datetime.fromisoformat(other)) < timedelta(minutes=1)
        except ValueError:
            return False

    def row(self, dag_id: str) -> dict:
        [[row]] = execute("SELECT to_jsonb(d) FROM dag d WHERE dag_id = :dag", dag=dag_id)
        return {column: row[column] for column in COLUMNS if column in row}

    def runs(self, dag_id: str) -> list:
        return [
            tuple(value and str(value) for value in row)
            for row in execute("SELECT logical_date, data_interval_start, data_interval_end, run_type, state FROM dag_run"
                               " WHERE dag_id = :dag AND run_id <> 'first' ORDER BY logical_date, run_id", dag=dag_id)
        ]  # fmt: skip


def count_runs() -> int:
    [[count]] = execute("SELECT count(*) FROM dag_run")
    return count


def create_all(scheduler: Scheduler) -> None:
    """As many loops as it takes until no run is due. Airflow 3.0 and 3.1 lose one after each run that has ended."""
    idle = 0
    for _ in range(80):
        before = count_runs()
        scheduler.create()
        idle = idle + 1 if count_runs() == before else 0
        if idle == 2:
            return
    raise ValueError("runs are due for ever")


def step(scheduler: Scheduler, pairs: list[Pair], name: str, number: int) -> None:
    if name == "create":
        create_all(scheduler)
    elif name == "start":
        scheduler.start()
    elif name in ("success", "failed"):
        for pair in pairs:
            pair.end(name)
        scheduler.schedule()
        scheduler.schedule()
    elif name == "manual":
        for pair in pairs:
            pair.manual(number, None)
    elif name == "manual date":
        for pair in pairs:
            [[next_]] = execute("SELECT next_dagrun FROM dag WHERE dag_id = :dag", dag=pair.twin)
            pair.manual(number, next_)
    else:
        for pair in pairs:
            {"parse": pair.parse, "break": pair.break_, "remove": pair.remove, "pause": pair.pause, "stop": pair.stop}[name]()


# After these the rows are what they have to be in every Airflow. The others leave them to the next of these.
SETTLED = {"create", "parse"}
STEPS = ["create", "start", "success", "failed", "manual", "manual date", "parse", "break", "remove", "pause", "stop"]
WEIGHTS = [5, 4, 4, 1, 1, 1, 4, 1, 1, 1, 1]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-pin", action="store_true")
    arguments = parser.parse_args()
    random_ = random.Random(arguments.seed)

    execute("CREATE EXTENSION IF NOT EXISTS airflow_pin")
    execute("SELECT airflow_pin.attach()")
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    pairs = [Pair(number, random_) for number in range(arguments.pairs)]
    for pair in pairs:
        pair.begin(not arguments.no_pin)
    scheduler = Scheduler()
    execute("UPDATE dag SET is_paused = false")

    compared = equal = 0
    broken: set[str] = set()
    names = ["parse", *random_.choices(STEPS, WEIGHTS, k=arguments.steps)]
    for number, name in enumerate(names):
        step(scheduler, pairs, name, number)
        for follow in () if name in SETTLED else ("parse", "create"):
            step(scheduler, pairs, follow, number)
        for pair in pairs:
            if pair.held in broken:
                continue
            compared += 1
            found = pair.differences()
            equal += not found
            if found:
                broken.add(pair.held)
                print(f"not equal after step {number} ({name}): {pair.held}: {pair}")
                for difference in found:
                    print(f"    {difference}")
    [[runs]] = execute("SELECT count(*) FROM dag_run WHERE dag_id LIKE 'held%' AND run_type = 'scheduled'")
    [[failures]] = execute("SELECT count(*) FROM airflow_pin.held_schedule WHERE failure IS NOT NULL")
    print(f"{equal} of {compared} equal: {len(pairs)} DAGs, {len(names)} steps, {runs} scheduled runs of held DAGs,"
          f" {failures} failures")  # fmt: skip
    return 0 if equal == compared and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
