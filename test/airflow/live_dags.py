"""The DAGs of the live test, as the text of their files. Most have two versions, and a task of each version writes
down which code it was (TASK_PRELUDE of lab.py)."""

from __future__ import annotations

from datetime import timedelta

from compat import DAG_CHOOSES_RERUNS, HAS_PARTITIONS, RUNS_REMOVED_TASKS
from lab import TASK_PRELUDE

MODES = ("rewrite", "reject", "observe")
BEAT = timedelta(seconds=15)

# The tasks of the DAGs that have two versions.
TASKS = {1: ["keep", "old"], 2: ["keep", "new"] if RUNS_REMOVED_TASKS else ["keep", "old", "new"]}

# A DAG for each on_mismatch and for each way in which the scheduler makes runs: its schedule. The one with a
# partition begins when a task of "partitions" has written its asset, which is once a minute.
SCHEDULES = {"time": "timedelta(minutes=1)", "asset": '[Asset("lab")]'}
if HAS_PARTITIONS:
    SCHEDULES["partition"] = 'PartitionedAssetTimetable(assets=Asset("of partitions"))'
PARTITION_SCHEDULE = 'CronPartitionTimetable("* * * * *", timezone="UTC")'

# What backfills do with runs that are there. The pins of the last two hold re-runs.
REFILLS = {
    "refill_none": "none",
    "refill_failed": "failed",
    "refill_completed": "completed",
    "refill_held_back": "completed",
    "refill_held": "completed",
}
HOLDING_RERUNS = ("refill_held_back", "refill_held")

# The latest version, unless whoever clears says otherwise.
RERUN_AT_LATEST = "None, rerun_with_latest_version=True"
# With "airflow dags test".
TESTED = {"tested_unpinned": None, "tested_rewrite": "rewrite", "tested_reject": "reject"}
# Of DAGs for backfills only: nothing is left to schedule.
REFILL_SCHEDULE = '"@daily", end_date=datetime(2026, 1, 4)'

IMPORTS = "from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable\n" if HAS_PARTITIONS else ""

# The asset that the first task writes has the name of its DAG.
SOME_TASKS = """\
with DAG({dag_id!r}, schedule={schedule}, start_date=datetime(2026, 1, 1), catchup=False):
    previous = None
    for name in {tasks}:

        @task(task_id=name, outlets=[Asset("of {dag_id}")] if name == "keep" else [])
        def write():
            record()

        current = write()
        if previous is not None:
            previous >> current
        previous = current
"""

ONE_TASK = """\
with DAG({dag_id!r}, schedule={schedule}, start_date={start_date}, catchup={catchup}):

    @task(outlets={outlets})
    def only():
        record()

    only()
"""

CALLER = """\
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

with DAG("caller", schedule=None):
    for mode in {modes}:
        TriggerDagRunOperator(task_id=mode, trigger_dag_id="time_" + mode, trigger_run_id="by_operator")
"""

# A task that is mapped over what another returns, one that is tried again, one that is deferred; and callbacks,
# of which that of the DAG runs in the DAG processor. The deferral is long enough for a slow scheduler: it fails a
# task that is queued again before it has heard that the first half has ended.
WORK = """\
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator


def note(what):
    return lambda context: record(what, context)


class Later(BaseOperator):
    def execute(self, context):
        record("deferred", context)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=10)), method_name="resume")

    def resume(self, context, event=None):
        record("resumed", context)


with DAG("work", schedule=None, on_success_callback=note("callback of the DAG")):

    @task
    def numbers():
        return {numbers}

    @task
    def mapped(number):
        record("mapped " + str(number))

    @task(
        retries={retries},
        retry_delay=timedelta(seconds=1),
        on_retry_callback=note("callback of the retry"),
        on_success_callback=note("callback of the task"),
    )
    def tried_again():
        number = get_current_context()["ti"].try_number
        record("try " + str(number))
        if number <= {retries}:
            raise ValueError("once more")

    mapped.expand(number=numbers())
    tried_again()
    Later(task_id="later")
"""
WORK_VERSIONS = {1: {"numbers": [1, 2], "retries": 1}, 2: {"numbers": [1, 2, 3], "retries": 0}}
WORK_RECORDS = [
    "mapped 1", "mapped 2", "try 1", "callback of the retry", "try 2", "callback of the task", "deferred", "resumed",
    "callback of the DAG",
]  # fmt: skip


def file_of(code: str, *blocks: str) -> str:
    """Several DAGs in a file: the DAG processor of a small machine has less to do."""
    return "\n".join([TASK_PRELUDE.format(code=code) + IMPORTS, *blocks])


def some_tasks(dag_id: str, schedule: str, version: int) -> str:
    return SOME_TASKS.format(dag_id=dag_id, schedule=schedule, tasks=TASKS[version])


def one_task(dag_id: str, schedule="None", start_date="datetime(2026, 1, 1)", catchup=False, outlets="[]") -> str:
    return ONE_TASK.format(
        dag_id=dag_id, schedule=schedule, start_date=start_date, catchup=catchup, outlets=outlets
    )


def body_only(code: str, outlets="[]") -> dict[str, str]:
    """The file of the DAG that has a commit of its own again and again."""
    return {"body_only.py": file_of(code, one_task("body_only", outlets=outlets))}


def scheduled_dags() -> dict[str, str]:
    """The DAGs with one of SCHEDULES, by their ids, and the on_mismatch of each."""
    return {f"{kind}_{mode}": mode for mode in MODES for kind in SCHEDULES}


def versioned_dags(version: int) -> dict[str, str]:
    """The file of all DAGs that have two versions."""
    schedules = {f"{kind}_{mode}": SCHEDULES[kind] for mode in MODES for kind in SCHEDULES}
    schedules |= dict.fromkeys(REFILLS, REFILL_SCHEDULE) | dict.fromkeys(["unrun", *TESTED], "None")
    if HAS_PARTITIONS:
        schedules["partitions"] = PARTITION_SCHEDULE
    if DAG_CHOOSES_RERUNS:
        schedules["rerun_at_latest"] = RERUN_AT_LATEST
    blocks = [some_tasks(dag_id, schedule, version) for dag_id, schedule in schedules.items()]
    return {"versioned.py": file_of(f"v{version}", *blocks, WORK.format(**WORK_VERSIONS[version]))}


def other_dags(start: str) -> dict[str, str]:
    """The file of the DAGs that have one version."""
    beat = one_task(
        "beat",
        schedule=f"timedelta(seconds={BEAT.seconds})",
        start_date=f"datetime.fromisoformat({start!r})",
        catchup=True,
    )
    producer = one_task("producer", outlets='[Asset("lab")]')
    return {"others.py": file_of("v1", producer, beat, CALLER.format(modes=MODES))}
