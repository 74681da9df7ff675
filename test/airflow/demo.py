"""The Python part of test/airflow/demo; runs in Airflow's virtual environment."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from lab import TASK_PRELUDE, Lab, LabError, exit_on_signals

DAG_ID = "daily_report"
STARTED = time.monotonic() - float(os.environ.get("DEMO_SECONDS", 0))

VERSION_1 = """\
with DAG("daily_report", schedule=timedelta(seconds=30), start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def extract():
        record()

    @task
    def transform():
        record()

    @task
    def load():
        record()

    extract() >> transform() >> load()
"""

# Adds "validate", removes "transform"; other pool slots, retries, queue and function bodies.
VERSION_2 = """\
with DAG("daily_report", schedule=timedelta(seconds=30), start_date=datetime(2026, 1, 1), catchup=False):

    @task(pool_slots=2, retries=3)
    def extract():
        print("now in another way")
        record()

    @task(queue="fast")
    def validate():
        record()

    @task(pool_slots=4)
    def load():
        print("and this too")
        record()

    extract() >> validate() >> load()
"""

# What each version says of its tasks: pool slots, retries, queue.
TASKS = {
    "v1": {name: (1, 0, "default") for name in ("extract", "transform", "load")},
    "v2": {"extract": (2, 3, "default"), "validate": (1, 0, "fast"), "load": (4, 0, "default")},
}


def step(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:3.0f} s] {text}", flush=True)


class Demo:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.problems: list[str] = []

    def sql(self, statement: str) -> list[dict]:
        step(f"SQL: {statement}")
        return self.lab.query(statement)

    def run(self) -> None:
        lab = self.lab
        step("Airflow: metadata database")
        lab.migrate()
        self.sql("CREATE EXTENSION airflow_pin")
        self.sql("SELECT airflow_pin.attach()")
        lab.commit("version 1", {"daily_report.py": TASK_PRELUDE.format(code="v1") + VERSION_1})
        step("Airflow: DAG processor, API server, scheduler")
        lab.start()
        lab.wait_for_version(DAG_ID, 1)
        self.manual_run("before_the_pin")

        self.sql(f"SELECT airflow_pin.pin('{DAG_ID}', 1, reason => 'frozen for the release')")
        lab.commit("version 2", {"daily_report.py": TASK_PRELUDE.format(code="v2") + VERSION_2})
        step(
            'commit: version 2, with "validate", without "transform", other slots, retries, queue and bodies'
        )
        lab.wait_for_version(DAG_ID, 2)
        pinned_at = lab.value("SELECT now()")
        self.manual_run("pinned_to_1", expect="v1")
        self.scheduled_run(pinned_at, expect="v1")
        self.table("Pinned at version 1; the latest is version 2")

        self.sql(f"SELECT airflow_pin.pin('{DAG_ID}', 2, reason => 'promoted')")
        self.manual_run("promoted_to_2", expect="v2")
        self.sql(f"SELECT airflow_pin.rollback('{DAG_ID}', 'it was a bad idea')")
        self.manual_run("rolled_back", expect="v1")
        self.sql(f"SELECT airflow_pin.unpin('{DAG_ID}', 'back to auto-deploy')")
        self.manual_run("unpinned", expect="v2")
        self.table("Then promoted, rolled back and unpinned")

        step("SQL: SELECT * FROM airflow_pin.status()")
        print_table(lab.query("SELECT * FROM airflow_pin.status()"))
        step("SQL: SELECT check_name, severity, object, message FROM airflow_pin.preflight()")
        print_table(
            lab.query("SELECT check_name, severity, coalesce(object, '') AS object, message FROM airflow_pin.preflight()")
        )

    def manual_run(self, run_id: str, expect: str = "v1") -> None:
        step(f"run: {run_id}, triggered through the API")
        status, answer = self.lab.trigger(DAG_ID, run_id)
        if status != 200:
            raise LabError(f"the API answered {status}: {answer}")
        self.check(self.lab.wait_for_run(DAG_ID, run_id), expect)

    def scheduled_run(self, since, expect: str) -> None:
        step("run: the next one on schedule")
        run_id = self.lab.wait_for(
            "a scheduled run",
            lambda: self.lab.value(
                "SELECT run_id FROM dag_run WHERE dag_id = %s AND run_type = 'scheduled'"
                " AND created_at > %s ORDER BY id LIMIT 1",
                DAG_ID,
                since,
            ),
        )
        self.check(self.lab.wait_for_run(DAG_ID, run_id), expect)

    def check(self, run: dict, code: str) -> None:
        """What the tasks themselves wrote down, and their instances, must be those of that version and no others."""
        lab, run_id = self.lab, run["run_id"]
        ran = {name: line["code"] for name, line in lab.tasks_that_ran(DAG_ID, run_id).items()}
        instances = {
            row["task_id"]: (row["pool_slots"], row["max_tries"], row["queue"])
            for row in self.instances(run_id)
        }
        if run["state"] != "success" or ran != dict.fromkeys(TASKS[code], code) or instances != TASKS[code]:
            self.problems.append(
                f"{run_id}: {run['state']}, ran {ran}, as {instances}; expected {code} {TASKS[code]}"
            )

    def instances(self, run_id: str) -> list[dict]:
        return self.lab.query(
            "SELECT * FROM task_instance WHERE dag_id = %s AND run_id = %s ORDER BY start_date",
            DAG_ID,
            run_id,
        )

    def table(self, title: str) -> None:
        """All finished runs so far."""
        rows = []
        for row in self.lab.query(
            "SELECT run_id FROM dag_run WHERE dag_id = %s AND state IN ('success', 'failed') ORDER BY id",
            DAG_ID,
        ):
            run = self.lab.run(DAG_ID, row["run_id"])
            ran = self.lab.tasks_that_ran(DAG_ID, run["run_id"])
            commits = {(line["commit"] or "?")[:8] for line in ran.values()}
            rows.append(
                {
                    "run": run["run_id"],
                    "asked for": f"version {run['requested_version'] or run['version_number']}",
                    "ran": f"version {run['version_number']}",
                    "commit": ", ".join(sorted(commits)),
                    "tasks that ran": ", ".join(f"{name} ({line['code']})" for name, line in ran.items()),
                    "slots": ", ".join(str(row["pool_slots"]) for row in self.instances(run["run_id"])),
                    "state": run["state"],
                }
            )
        print(f"\n{title}:\n")
        print_table(rows)
        print(flush=True)


def print_table(rows: list[dict]) -> None:
    if not rows:
        return
    table = [list(rows[0])] + [
        ["" if value is None else str(value) for value in row.values()] for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for number, line in enumerate(table):
        print("  " + " | ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
        if number == 0:
            print("  " + "-+-".join("-" * width for width in widths))


def main() -> int:
    exit_on_signals()
    lab = Lab(Path(sys.argv[1]))
    demo = Demo(lab)
    try:
        demo.run()
    except LabError as error:
        demo.problems.append(str(error))
    finally:
        step("ending Airflow")
        lab.close()
    for problem in demo.problems:
        print(f"NOT AS PROMISED: {problem}")
    if not demo.problems:
        step("every run ran exactly the version it should")
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main())
