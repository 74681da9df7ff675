"""The Python part of test/airflow/hold_live; runs in Airflow's virtual environment.

Two schedulers and a DAG processor. A DAG that runs every few seconds is pinned, and its latest version never runs; one
that never runs is pinned, and its latest version runs every few seconds; one runs every minute. Pins are taken off, made
again, moved and rolled back in the middle; then the file cannot be parsed, and is gone.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lab import Lab, exit_on_signals
from story import Story, log_problems

SCHEDULERS = ("scheduler", "scheduler-2")
STEP = 5  # seconds between the runs of version 1 of DAG "ticks"
DAG_FILE = """\
from datetime import datetime, timedelta
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for dag_id, schedule in {schedules}.items():
    with DAG(dag_id, schedule=schedule, start_date=datetime.fromisoformat({start!r}), catchup=True, max_active_runs={limit}):
        EmptyOperator(task_id="nothing")
"""


class HoldLive(Story):
    def __init__(self, lab: Lab, minutes: int) -> None:
        super().__init__(lab)
        self.minutes = minutes
        self.start = (datetime.now(timezone.utc) - timedelta(seconds=20)).replace(microsecond=0)

    def run(self) -> None:
        lab = self.lab
        lab.migrate()
        lab.query("CREATE EXTENSION airflow_pin")
        lab.query("SELECT airflow_pin.attach()")
        self.commit(1, {"ticks": f"timedelta(seconds={STEP})", "quiet": "None", "minute": "'* * * * *'"})
        lab.start_process("dag-processor", "dag-processor")
        for dag_id in ("ticks", "quiet", "minute"):
            lab.wait_for_version(dag_id, 1)
        lab.query("SELECT airflow_pin.pin(dag_id, 1) FROM dag")
        for name in SCHEDULERS:
            lab.start_scheduler(name)
        self.hold()
        self.give_back()
        self.move()
        self.break_and_remove()
        self.check_dates()
        for name in SCHEDULERS:
            self.check(f"{name} is alive and logged no traceback", log_problems(lab, name))

    def commit(self, version: int, schedules: dict[str, str], limit: int = 16) -> None:
        text = ", ".join(f"{dag_id!r}: {schedule}" for dag_id, schedule in schedules.items())
        file = DAG_FILE.format(schedules="{" + text + "}", start=self.start.isoformat(), limit=limit)
        self.lab.commit(f"version {version}", {"hold.py": file})

    def runs(self, dag_id: str) -> int:
        return self.lab.value("SELECT count(*) FROM dag_run WHERE dag_id = %s AND run_type = 'scheduled'", dag_id)

    def wait_for_runs(self, dag_id: str, more: int, why: str, timeout: float = 180) -> None:
        wanted = self.runs(dag_id) + more
        self.lab.wait_for(f"{more} more runs of {dag_id} {why}", lambda: self.runs(dag_id) >= wanted, timeout)

    def wait_for_parses(self, dag_id: str) -> None:
        for _ in range(2):
            parsed = self.lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = %s", dag_id)
            self.lab.wait_for(
                f"a parse of {dag_id}",
                lambda: self.lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = %s", dag_id) > parsed,
            )

    def drift(self, dag_id: str) -> list[str]:
        return self.lab.value("SELECT drift FROM airflow_pin.pins() WHERE dag_id = %s", dag_id) or []

    def hold(self) -> None:
        lab = self.lab
        self.wait_for_runs("ticks", 3, "of version 1")
        self.commit(2, {"ticks": "None", "quiet": f"timedelta(seconds={STEP})", "minute": "None"}, 1)
        for dag_id in ("ticks", "quiet", "minute"):
            lab.wait_for_version(dag_id, 2)
        self.wait_for_parses("ticks")
        self.wait_for_runs("ticks", 5, "although the latest version never runs")
        minutes = self.runs("minute")
        self.wait_for_runs("minute", self.minutes, "although the latest version never runs", 60 * self.minutes + 120)
        self.check("a pinned version that runs goes on under one that never does", "")
        self.check("one run of each minute", self.runs("minute") < minutes + self.minutes and "too few")
        self.check("a pinned version that never runs stays quiet under one that does", self.runs("quiet") and "it ran")
        row = lab.query("SELECT max_active_runs, timetable_summary FROM dag WHERE dag_id = 'ticks'")[0]
        self.check("limits and timetable are the pinned version's", row != {"max_active_runs": 16, "timetable_summary": f"0:00:0{STEP}"} and str(row))
        self.check("pins() says that it is held", [name for name in self.drift("ticks") if name == "schedule_not_held"])

    def give_back(self) -> None:
        lab = self.lab
        lab.query("SELECT airflow_pin.unpin('ticks')")
        lab.query("SELECT airflow_pin.unpin('quiet')")
        before = self.runs("ticks")
        self.wait_for_runs("quiet", 4, "unpinned")
        # one may have been on its way
        self.check("unpinned, each has the latest version's schedule", self.runs("ticks") > before + 1 and "ticks went on")
        lab.query("SELECT airflow_pin.pin('ticks', 1)")
        self.wait_for_runs("ticks", 4, "pinned again")
        lab.query("SELECT airflow_pin.pin('quiet', 1)")
        before = self.runs("quiet")
        self.wait_for_runs("ticks", 4, "while quiet is pinned again")
        self.check("pinned again, each has the pinned version's", self.runs("quiet") > before + 1 and "quiet went on")

    def move(self) -> None:
        lab = self.lab
        self.commit(3, {"ticks": "timedelta(seconds=2)", "quiet": "None", "minute": "None"})
        # Version 2 is written over if it has not run yet.
        self.moved_to = lab.wait_for("the third commit to be parsed", self.version_of_two_seconds)
        lab.query("SELECT airflow_pin.pin('ticks', %s)", self.moved_to)
        summary = lab.value("SELECT timetable_summary FROM dag WHERE dag_id = 'ticks'")
        self.wait_for_runs("ticks", 6, "of the version moved to")
        self.check("a move takes the schedule along", summary != "0:00:02" and summary)
        lab.query("SELECT airflow_pin.rollback('ticks')")
        summary = lab.value("SELECT timetable_summary FROM dag WHERE dag_id = 'ticks'")
        self.check("and so does a rollback", summary != f"0:00:0{STEP}" and summary)
        self.wait_for_runs("ticks", 4, "rolled back")

    def version_of_two_seconds(self) -> int | None:
        return self.lab.value(
            "SELECT v.version_number FROM dag_version v JOIN serialized_dag s ON s.dag_version_id = v.id"
            " WHERE v.dag_id = 'ticks' AND s.data #>> '{dag,timetable,__var,delta}' IN ('2', '2.0')"
        )

    def break_and_remove(self) -> None:
        lab = self.lab
        lab.commit("broken", {"hold.py": "from airflow.sdk import DAG, which is no Python\n"})
        lab.wait_for("drift import_error", lambda: "import_error" in self.drift("ticks"))
        self.wait_for_runs("ticks", 4, "although the file cannot be parsed")
        flags = lab.query("SELECT is_stale, has_import_errors FROM dag WHERE dag_id = 'ticks'")[0]
        self.check("a file that cannot be parsed does not stop it", any(flags.values()) and str(flags))
        (lab.repository / "dags" / "hold.py").unlink()
        lab.commit("removed", {"other.py": "\n"})
        lab.wait_for("drift dag_removed", lambda: "dag_removed" in self.drift("ticks"))
        self.wait_for_runs("ticks", 4, "although the file is gone")
        flags = lab.query("SELECT is_stale, has_import_errors FROM dag WHERE dag_id = 'ticks'")[0]
        self.check("nor does a file that is gone", any(flags.values()) and str(flags))

    def check_dates(self) -> None:
        """No date is left out while a version's schedule is in force, and none comes twice (a key of dag_run sees to that)."""
        runs = self.lab.query(
            "SELECT r.logical_date, v.version_number FROM dag_run r JOIN dag_version v ON v.id = r.created_dag_version_id"
            " WHERE r.dag_id = 'ticks' AND r.run_type = 'scheduled' ORDER BY logical_date"
        )
        steps = {1: timedelta(seconds=STEP), self.moved_to: timedelta(seconds=2)}
        problems = [
            f"from {one['logical_date']} to {two['logical_date']} of version {two['version_number']}"
            for one, two in zip(runs, runs[1:])
            if one["version_number"] == two["version_number"]
            and two["logical_date"] - one["logical_date"] != steps[two["version_number"]]
        ]
        self.check(f"no date is left out of {len(runs)} runs", problems)
        others = self.lab.value(
            "SELECT count(*) FROM dag_run r JOIN dag_version v ON v.id = r.created_dag_version_id"
            " WHERE r.dag_id IN ('ticks', 'minute') AND r.run_type = 'scheduled' AND v.version_number NOT IN (1, %s)",
            self.moved_to,
        )
        # one may have been on its way when "ticks" was unpinned
        self.check("runs are of versions that were pinned", others > 1 and f"{others} are not")
        jobs = self.lab.value("SELECT count(DISTINCT creating_job_id) FROM dag_run WHERE dag_id = 'ticks'")
        print(f"    runs made by {jobs} of {len(SCHEDULERS)} schedulers")
        failures = self.lab.query("SELECT dag_id, failure FROM airflow_pin.held_schedule WHERE failure IS NOT NULL")
        self.check("nothing kept a schedule from being held", [str(failure) for failure in failures])


def main() -> int:
    exit_on_signals()
    return HoldLive(Lab(Path(sys.argv[1])), int(sys.argv[2])).tell("hold_live")


if __name__ == "__main__":
    sys.exit(main())
