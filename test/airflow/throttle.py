"""The Python part of test/airflow/throttle; runs in Airflow's virtual environment.

A DAG has many runs to catch up with, and may have several at once. While runs are throttled the scheduler starts one
at a time, whatever the DAG processor writes back; afterwards several again.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
from lab import TASK_PRELUDE, Lab, exit_on_signals
from story import Story

LIMIT = 3  # the DAG's own
DAG_FILE = """\
import time

with DAG(
    "late", schedule=timedelta(seconds=5), start_date=datetime.fromisoformat({start!r}), catchup=True,
    max_active_runs={limit}, tags=[{tag!r}],
):

    @task
    def work():
        time.sleep(2)

    work()
"""
# Runs of which others were running when they started.
SIDE_BY_SIDE = """
SELECT r.run_id, count(*) AS others FROM dag_run r JOIN dag_run o ON o.dag_id = r.dag_id AND o.id <> r.id
    AND o.start_date <= r.start_date AND coalesce(o.end_date, 'infinity') > r.start_date
WHERE r.dag_id = 'late' AND r.start_date > %s GROUP BY r.run_id
"""


class Throttle(Story):
    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.start = (datetime.now(timezone.utc) - timedelta(hours=2)).replace(microsecond=0).isoformat()

    def run(self) -> None:
        lab = self.lab
        lab.migrate()
        lab.query("CREATE EXTENSION airflow_pin")
        self.commit("first")
        lab.start()
        lab.wait_for("as many runs at once as the DAG allows", lambda: self.running() == LIMIT)
        self.check("the DAG's limit is that of its file", self.limits() != (LIMIT, LIMIT) and self.limits())

        self.command("throttle('first day', 1)")
        throttled_at = lab.value("SELECT clock_timestamp()")
        self.check("throttle() lowers it", self.limits() != (1, LIMIT) and self.limits())
        self.parse_again("second")
        self.parse_again("third")
        lab.wait_for("four runs after that", lambda: self.started_since(throttled_at) >= 4)
        self.check(
            "it stays so when the file is parsed again, and changed", self.limits() != (1, LIMIT) and self.limits()
        )
        self.check("the scheduler starts one run at a time", lab.query(SIDE_BY_SIDE, throttled_at))

        self.command("unthrottle('first day')")
        self.check("unthrottle() gives the limit back", self.limits() != (LIMIT, LIMIT) and self.limits())
        lab.wait_for("as many runs at once as before", lambda: self.running() == LIMIT)
        self.check("the scheduler starts several at once again", "")

    def commit(self, tag: str) -> None:
        text = DAG_FILE.format(start=self.start, limit=LIMIT, tag=tag)
        self.lab.commit(tag, {"late.py": TASK_PRELUDE.format(code=tag) + text})

    def parse_again(self, tag: str) -> None:
        """Until the DAG processor has written what has changed, and once more what has not."""
        self.commit(tag)
        self.lab.wait_for(
            f"a parse of the {tag} file",
            lambda: self.lab.value("SELECT name FROM dag_tag WHERE dag_id = 'late' AND name = %s", tag),
        )
        parsed = self.lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = 'late'")
        self.lab.wait_for(
            "another parse of it",
            lambda: self.lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = 'late'") > parsed,
        )

    def command(self, call: str) -> None:
        """Again while the scheduler keeps it from its lock, as its hint says."""

        def succeeds() -> bool:
            try:
                self.lab.query(f"SELECT airflow_pin.{call}")
            except psycopg2.errors.LockNotAvailable:
                return False
            return True

        self.lab.wait_for(call, succeeds)

    def running(self) -> int:
        return self.lab.value("SELECT count(*) FROM dag_run WHERE dag_id = 'late' AND state = 'running'")

    def started_since(self, time: datetime) -> int:
        return self.lab.value("SELECT count(*) FROM dag_run WHERE dag_id = 'late' AND start_date > %s", time)

    def limits(self) -> tuple[int, int]:
        """As the scheduler reads it, and as the file has it."""
        rows = self.lab.query(
            "SELECT d.max_active_runs AS now, (s.data #>> '{dag,max_active_runs}')::int AS file FROM dag d"
            " JOIN dag_version v USING (dag_id) JOIN serialized_dag s ON s.dag_version_id = v.id"
            " WHERE d.dag_id = 'late' ORDER BY v.version_number DESC LIMIT 1"
        )
        return rows[0]["now"], rows[0]["file"]


def main() -> int:
    exit_on_signals()
    return Throttle(Lab(Path(sys.argv[1]))).tell("throttle")


if __name__ == "__main__":
    sys.exit(main())
