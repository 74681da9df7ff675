"""The Python part of test/airflow/live; runs in Airflow's virtual environment.

For each on_mismatch a DAG on a schedule, one triggered by an asset, and one by a partition of an asset, all pinned
at version 1 while version 2 is the latest; a DAG whose function body alone changes; and, beside them, one that no
pin touches. live_dags.py has the DAGs, live_paths.py the ways to a run that need more than one call.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
from compat import CLEARING_CHOOSES, HAS_PARTITIONS
from lab import Lab, LabError, exit_on_signals, wrong_values
from live_dags import BEAT, MODES, REFILLS, SCHEDULES, TASKS, body_only, other_dags, scheduled_dags, versioned_dags
from live_paths import Paths
from story import Story, log_problems

BEAT_MAY_BE_LATE = timedelta(seconds=30)


class Live(Story):
    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.commits: dict[int, str] = {}
        self.paths = Paths(self)

    # --- The story -------------------------------------------------------------------------------------

    def run(self) -> None:
        self.prepare()
        self.make_version_2_the_latest()
        self.paths.ask()
        self.ask_for_runs()
        self.paths.check()
        self.check_runs_of_the_scheduler()
        self.check_body_only_commit()
        self.check_commits()
        self.check_version_without_run()
        self.check_reruns()
        self.check_rhythm()
        self.check_processes()
        self.paths.check_dags_test()

    def prepare(self) -> None:
        """Airflow is up, and every DAG has version 1 with a run (Airflow overwrites a version without one)."""
        lab = self.lab
        start = datetime.now(timezone.utc).replace(microsecond=0)
        lab.migrate()
        lab.query("CREATE EXTENSION airflow_pin")
        lab.query("SELECT airflow_pin.attach()")
        self.commits[1] = lab.commit("version 1", versioned_dags(1) | body_only("v1") | other_dags(start.isoformat()))
        lab.start(triggerer=True)
        for dag_id in [*scheduled_dags(), "body_only"]:
            lab.wait_for_version(dag_id, 1)
            self.must_trigger(dag_id, "first")
        for dag_id in ("beat", "producer", "unrun", "work", "caller"):
            lab.wait_for_version(dag_id, 1)
        self.paths.prepare()

    def make_version_2_the_latest(self) -> None:
        lab = self.lab
        for dag_id, mode in scheduled_dags().items():
            lab.query("SELECT airflow_pin.pin(%s, 1, on_mismatch => %s)", dag_id, mode)
        for dag_id in ("body_only", "unrun"):
            lab.query("SELECT airflow_pin.pin(%s, 1)", dag_id)
        self.paths.pin()
        self.unrun_hash = self.version_of_unrun(1)["dag_hash"]
        self.pinned_at = lab.value("SELECT now()")
        self.commits[2] = lab.commit("version 2", versioned_dags(2))
        for dag_id in [*scheduled_dags(), *REFILLS, "work"]:
            lab.wait_for_version(dag_id, 2)
        self.version_2_at = lab.value("SELECT now()")

    # --- Runs that somebody asks for -------------------------------------------------------------------

    def ask_for_runs(self) -> None:
        """All of them first, so that they run side by side; then one after the other is looked at."""
        lab = self.lab
        self.must_trigger("producer", "produce")
        api = {mode: lab.trigger(f"time_{mode}", "by_api") for mode in MODES}
        cli = {mode: lab.airflow("dags", "trigger", f"time_{mode}", "-r", "by_cli") for mode in MODES}
        backfill = {
            mode: lab.airflow(
                "backfill", "create", "--dag-id", f"time_{mode}",
                "--from-date", "2026-01-02T00:00:00", "--to-date", "2026-01-02T00:01:00",
            )
            for mode in MODES
        }  # fmt: skip
        for mode in MODES:
            status, answer = api[mode]
            self.check_request(
                mode, "manual, API", status == 200, f"HTTP {status}: {answer}", ["by_api"], False
            )
            self.check_request(
                mode, "manual, CLI", cli[mode].returncode == 0, cli[mode].stdout, ["by_cli"], mode == "reject"
            )
            rows = lab.query(
                "SELECT run_id FROM dag_run WHERE dag_id = %s AND run_type = 'backfill'", f"time_{mode}"
            )
            run_ids = [row["run_id"] for row in rows] or ["(no run)"]
            self.check_request(
                mode,
                "backfill",
                backfill[mode].returncode == 0,
                backfill[mode].stdout,
                run_ids,
                mode == "reject",
            )

    def check_request(
        self, mode: str, kind: str, accepted: bool, answer: str, run_ids: list[str], message_expected: bool
    ) -> None:
        """Rejected with an error, or accepted and run as the mode says."""
        dag_id = f"time_{mode}"
        problems = []
        if accepted == (mode == "reject"):
            problems.append(f"{'accepted' if accepted else 'refused'}: {answer[-1500:]}")
        elif mode == "reject":
            problems += [f"run {run_id} is there" for run_id in run_ids if self.lab.run(dag_id, run_id)]
            if message_expected and not all(word in answer for word in (dag_id, "version 1", "version 2")):
                problems.append(f"the message should name DAG and versions: {answer[-1500:]}")
        else:
            for run_id in run_ids:
                problems += self.run_problems(mode, self.lab.wait_for_run(dag_id, run_id))
        self.check(f"{mode}: {kind}", problems)

    def must_trigger(self, dag_id: str, run_id: str, logical_date: str | None = None) -> None:
        status, answer = self.lab.trigger(dag_id, run_id, logical_date)
        if status != 200:
            raise LabError(f'DAG "{dag_id}" could not be triggered: HTTP {status}: {answer}')

    # --- Runs that the scheduler creates ---------------------------------------------------------------

    def check_runs_of_the_scheduler(self) -> None:
        names = {"time": "scheduled", "asset": "asset-triggered", "partition": "by a partition of an asset"}
        for kind in SCHEDULES:
            run_type = "scheduled" if kind == "time" else "asset_triggered"
            for mode in MODES:
                run = self.wait_for_run_of_type(f"{kind}_{mode}", run_type)
                problems = self.run_problems(mode, run)
                if kind == "partition" and run["partition_key"] is None:
                    problems.append(f"run {run['run_id']} has no partition")
                self.check(f"{mode}: {names[kind]}", problems)
        if HAS_PARTITIONS:
            run = self.wait_for_run_of_type("partitions", "scheduled")
            self.check("rewrite: scheduled, with a partition", self.run_problems("rewrite", run))

    def wait_for_run_of_type(self, dag_id: str, run_type: str) -> dict:
        run_id = self.lab.wait_for(
            f'a run of DAG "{dag_id}" that is {run_type}',
            lambda: self.lab.value(
                "SELECT run_id FROM dag_run WHERE dag_id = %s AND run_type = %s AND run_after > %s"
                " ORDER BY id LIMIT 1",
                dag_id,
                run_type,
                self.version_2_at,
            ),
        )
        return self.lab.wait_for_run(dag_id, run_id)

    def run_problems(self, mode: str, run: dict) -> list[str]:
        """A finished run that asked for version 2, against what the mode promises."""
        version = 2 if mode == "observe" else 1
        expected = {
            "state": "failed" if mode == "reject" else "success",
            "version_number": version,
            "bundle_version": self.commits[version],
            "action": mode,
            "requested_version": 2,
        }
        problems = wrong_values(run, expected)
        ran = (
            {}
            if mode == "reject"
            else dict.fromkeys(TASKS[version], f"v{version} at {self.commits[version]}")
        )
        return problems + self.task_problems(run, ran)

    def task_problems(self, run: dict, expected: dict[str, str], may_run: dict[str, str] | None = None) -> list[str]:
        """expected: what must have run, and as which code; may_run: what may have, but only as that code."""
        lines = self.lab.tasks_that_ran(run["dag_id"], run["run_id"])
        ran = {name: f"{line['code']} at {line['commit']}" for name, line in lines.items()}
        wanted = expected | {name: code for name, code in (may_run or {}).items() if name in ran}
        return [] if ran == wanted else [f"run {run['run_id']}: tasks that ran: {ran}, expected {wanted}"]

    # --- The rest --------------------------------------------------------------------------------------

    def check_body_only_commit(self) -> None:
        """A commit that changes no more than a function's body: the pin holds the commit, too."""
        lab = self.lab
        commit = self.commit_body("v1, another body")
        lab.wait_for_version("body_only", 2)  # the version guard has made it of the commit
        own = lab.value("SELECT bundle_version FROM dag_version WHERE dag_id = 'body_only' AND version_number = 2")
        self.must_trigger("body_only", "after_commit")
        run = lab.wait_for_run("body_only", "after_commit")
        expected = {
            "state": "success",
            "version_number": 1,
            "bundle_version": self.commits[1],
            "action": "rewrite",
            "requested_version": 2,
        }
        self.check(
            "a body-only commit is held back",
            wrong_values(run, expected)
            + self.task_problems(run, {"only": f"v1 at {self.commits[1]}"})
            + ([] if own == commit else [f"version 2 is of commit {own}, not {commit}"]),
        )
        lab.query("SELECT airflow_pin.unpin('body_only')")
        self.must_trigger("body_only", "after_unpin")
        run = lab.wait_for_run("body_only", "after_unpin")
        self.check(
            "after unpin() it runs",
            wrong_values(run, {"state": "success", "bundle_version": commit, "action": None})
            + self.task_problems(run, {"only": f"v1, another body at {commit}"}),
        )

    def check_commits(self) -> None:
        """Which commit a pin holds, when a version had two of them."""
        first, second = self.commits[1], self.lab.git("rev-parse", "HEAD")
        third = self.commit_body("v1, third body")
        self.run_body_only("third", 2, third, "v1, third body", "two commits of a version run without a pin")

        problems = wrong_pin(self.pin_body_only(), 2, third)
        for function in ("pins() WHERE dag_id = 'body_only'", "resolve('body_only')"):
            shown = self.lab.value(f"SELECT bundle_version FROM airflow_pin.{function}")
            problems += [] if shown == third else [f"{function} shows {shown}"]
        self.check("a pin of the latest version holds the commit that new runs get", problems)

        problems = wrong_pin(self.pin_body_only("2, bundle_version => %s", second), 2, second)
        for commit in ("0" * 40, first):
            try:
                problems.append(f"accepted: {self.pin_body_only('2, bundle_version => %s', commit)}")
            except psycopg2.Error as error:
                problems += [] if error.pgcode == "02000" else [str(error)]
        self.check("bundle_version must be one that the version had", problems)

        self.lab.commit("version 3", body_only("v3", outlets='[Asset("v3")]'))
        self.lab.wait_for_version("body_only", 3)
        problems = wrong_pin(self.pin_body_only("2"), 2, third)
        self.check("a pin of an older version holds the commit of its newest run", problems)
        self.run_body_only("older", 2, third, "v1, third body", "and runs it")

    def commit_body(self, code: str) -> str:
        """A commit that changes no more than the body of a function, when the DAG processor has seen it."""
        commit = self.lab.commit(code, body_only(code))
        self.lab.wait_for(
            "the DAG processor to see the commit",
            lambda: self.lab.value("SELECT bundle_version FROM dag WHERE dag_id = 'body_only'") == commit,
        )
        return commit

    def run_body_only(self, run_id: str, version: int, commit: str, code: str, name: str) -> None:
        self.must_trigger("body_only", run_id)
        run = self.lab.wait_for_run("body_only", run_id)
        expected = {"state": "success", "version_number": version, "bundle_version": commit}
        self.check(name, wrong_values(run, expected) + self.task_problems(run, {"only": f"{code} at {commit}"}))

    def pin_body_only(self, arguments="NULL", *parameters) -> dict:
        return self.lab.query(f"SELECT * FROM airflow_pin.pin('body_only', {arguments})", *parameters)[0]

    def check_version_without_run(self) -> None:
        """Airflow overwrites a version that has no run in place; a pinned one stays, and the new one is a version."""
        lab = self.lab
        lab.wait_for_version("unrun", 2)
        self.must_trigger("unrun", "pinned")
        run = lab.wait_for_run("unrun", "pinned")
        expected = {
            "state": "success",
            "version_number": 1,
            "bundle_version": self.commits[1],
            "action": "rewrite",
            "requested_version": 2,
        }
        tasks = dict.fromkeys(TASKS[1], f"v1 at {self.commits[1]}")
        self.check(
            "a pinned version that never ran is not overwritten",
            wrong_values(run, expected) + self.task_problems(run, tasks),
        )

        parsed = lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = 'unrun'")
        lab.wait_for(
            "the DAG processor to parse it again",
            lambda: lab.value("SELECT last_parsed_time FROM dag WHERE dag_id = 'unrun'") > parsed,
        )
        problems = []
        if self.version_of_unrun(1)["dag_hash"] != self.unrun_hash:
            problems.append("version 1 has another hash")
        newest = lab.value("SELECT max(version_number) FROM dag_version WHERE dag_id = 'unrun'")
        if newest != 2:
            problems.append(f"the newest version is {newest}: a parse without a change made one")
        for number in (1, 2):
            found = self.version_of_unrun(number)
            if f"v{number}" not in found["source_code"]:
                problems.append(f"version {number} has other source code")
            if number == 1 and found["bundle_version"] != self.commits[1]:
                problems.append(f"version 1 is at commit {found['bundle_version']}")
        self.check("the next parse finds nothing to do", problems)

        lab.query("SELECT airflow_pin.pin('unrun', 2)")
        self.must_trigger("unrun", "promoted")
        run = lab.wait_for_run("unrun", "promoted")
        self.check(
            "the version that was diverted can be promoted",
            wrong_values(run, {"state": "success", "version_number": 2})
            + self.task_problems(run, dict.fromkeys(TASKS[2], f"v2 at {lab.git('rev-parse', 'HEAD')}")),
        )

    def check_reruns(self) -> None:
        """reruns => 'pinned': a finished run is not cleared to another version, and runs again at its own."""
        lab = self.lab
        lab.query("SELECT airflow_pin.pin('unrun', 1, reruns => 'pinned')")
        problems = []
        for run_id, latest in (("pinned", True), ("promoted", False)):
            if latest and not CLEARING_CHOOSES:
                continue
            before = lab.run("unrun", run_id)
            for what, (status, answer) in {
                "the run": self.clear("unrun", run_id, latest),
                "a task": self.clear_task("unrun", run_id, latest),
            }.items():
                problems += [f"clearing {what} {run_id} was accepted: {answer}"] if status == 200 else []
            problems += wrong_values(
                lab.run("unrun", run_id), {key: before[key] for key in ("state", "version_number", "clear_number")}
            )
        self.check("a re-run at another version is refused", problems)

        for number, (what, clear) in enumerate({"run": self.clear, "task": self.clear_task}.items(), start=1):
            status, answer = clear("unrun", "pinned", False)
            problems = [] if status == 200 else [f"HTTP {status}: {answer}"]
            if not problems:
                problems = wrong_values(
                    lab.wait_for_run("unrun", "pinned"),
                    {"state": "success", "version_number": 1, "bundle_version": self.commits[1], "clear_number": number},
                )
            self.check(f"a {what} that is cleared runs again at the pinned version", problems)

        lab.query("SELECT airflow_pin.pin('unrun', 1, reruns => 'airflow')")
        head = lab.git("rev-parse", "HEAD")
        problems = self.rerun_problems("pinned", False, 1, self.commits[1] if CLEARING_CHOOSES else head)
        if CLEARING_CHOOSES:
            problems += self.rerun_problems("pinned", True, 2, head)
        self.check("re-runs are Airflow's where the pin does not hold them", problems)

    def rerun_problems(self, run_id: str, latest: bool, version: int, commit: str) -> list[str]:
        status, answer = self.clear("unrun", run_id, latest)
        if status != 200:
            return [f"HTTP {status}: {answer}"]
        run = self.lab.wait_for_run("unrun", run_id)
        return wrong_values(run, {"version_number": version, "bundle_version": commit})

    def clear(self, dag_id: str, run_id: str, latest: bool | None) -> tuple[int, str]:
        """With None Airflow chooses."""
        choice = {"run_on_latest_version": latest} if CLEARING_CHOOSES and latest is not None else {}
        return self.lab.api(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/clear", {"dry_run": False} | choice
        )

    def clear_task(self, dag_id: str, run_id: str, latest: bool) -> tuple[int, str]:
        choice = {"run_on_latest_version": latest} if CLEARING_CHOOSES else {}
        request = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": ["keep"]}
        return self.lab.api("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", request | choice)

    def version_of_unrun(self, number: int) -> dict:
        rows = self.lab.query(
            "SELECT v.bundle_version, s.dag_hash, c.source_code FROM dag_version v"
            " JOIN serialized_dag s ON s.dag_version_id = v.id JOIN dag_code c ON c.dag_version_id = v.id"
            " WHERE v.dag_id = 'unrun' AND v.version_number = %s",
            number,
        )
        if not rows:
            raise LabError(f"version {number} of DAG \"unrun\" is incomplete")
        return rows[0]

    def check_rhythm(self) -> None:
        """The DAG that no pin touches has a run for each beat, in time, to the end."""
        lab = self.lab
        now = lab.value("SELECT now()")
        lab.wait_for(
            "a beat after all of this",
            lambda: lab.value(
                "SELECT run_id FROM dag_run WHERE dag_id = 'beat' AND run_after > %s AND state = 'success'",
                now,
            ),
        )
        runs = lab.query("SELECT * FROM dag_run WHERE dag_id = 'beat' ORDER BY logical_date")
        problems = [
            f"nothing between {before['logical_date']} and {after['logical_date']}"
            for before, after in zip(runs, runs[1:])
            if after["logical_date"] - before["logical_date"] != BEAT
        ]
        problems += [f"{run['run_id']} failed" for run in runs if run["state"] == "failed"]
        for run in runs:
            started = run["start_date"] or now
            if run["run_after"] > self.pinned_at and started - run["run_after"] > BEAT_MAY_BE_LATE:
                problems.append(f"{run['run_id']} was {started - run['run_after']} late")
        decisions = lab.value("SELECT count(*) FROM airflow_pin.run_decision WHERE dag_id = 'beat'")
        if decisions:
            problems.append(f"run_decision has {decisions} rows on it")
        self.check(f"the unpinned DAG kept its rhythm ({len(runs)} runs)", problems)

    def check_processes(self) -> None:
        for name in ("scheduler", "dag-processor", "triggerer"):
            self.check(f"the {name} is alive and logged no traceback", log_problems(self.lab, name))


def wrong_pin(pin: dict, version: int, commit: str) -> list[str]:
    found = (pin["version_number"], pin["bundle_version"])
    return [] if found == (version, commit) else [f"the pin is {found}, expected {(version, commit)}"]


def main() -> int:
    exit_on_signals()
    return Live(Lab(Path(sys.argv[1]))).tell("live test")


if __name__ == "__main__":
    sys.exit(main())
