"""The part of the live test about ways to a run that need more than one call: an operator, an asset that is
materialised, backfills of runs that are there, "airflow dags test"; and what a run does after it was created.

Everything is asked for first and looked at later, so that it goes on side by side.
"""

from __future__ import annotations

from compat import (
    ALWAYS_CALLS_BACK_FOR_DAGS,
    CLEARING_CHOOSES,
    DAG_CHOOSES_RERUNS,
    HAS_PARTITIONS,
    MATERIALIZATION_RUN_TYPE,
    OPERATOR_RUN_TYPE,
)
from lab import wrong_values
from live_dags import HOLDING_RERUNS, MODES, REFILLS, TASKS, TESTED, WORK_RECORDS

# The logical dates of the backfills: of a run that is there, and of one that is not.
THERE, NEW = "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"


class Paths:
    def __init__(self, live) -> None:
        self.live = live
        self.lab = live.lab

    # --- To do -----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """The DAGs of the backfills have a run of version 1."""
        for dag_id in TESTED:
            self.lab.wait_for_version(dag_id, 1)
        for dag_id in REFILLS:
            self.lab.wait_for_version(dag_id, 1)
            self.live.must_trigger(dag_id, "there", THERE)
        for dag_id in REFILLS:
            self.lab.wait_for_run(dag_id, "there")
        self.lab.api("PATCH", "/api/v2/dags/refill_failed/dagRuns/there", {"state": "failed"})
        if DAG_CHOOSES_RERUNS:
            self.lab.wait_for_version("rerun_at_latest", 1)
            self.live.must_trigger("rerun_at_latest", "there")
            self.lab.wait_for_run("rerun_at_latest", "there")

    def pin(self) -> None:
        for dag_id in ["work", *REFILLS, *(["partitions"] if HAS_PARTITIONS else [])]:
            reruns = "pinned" if dag_id in HOLDING_RERUNS else "airflow"
            self.lab.query("SELECT airflow_pin.pin(%s, 1, reruns => %s)", dag_id, reruns)
        if DAG_CHOOSES_RERUNS:
            self.lab.query("SELECT airflow_pin.pin('rerun_at_latest', 1, reruns => 'pinned')")
        for dag_id, mode in TESTED.items():
            if mode:
                self.lab.query("SELECT airflow_pin.pin(%s, 1, on_mismatch => %s)", dag_id, mode)

    def ask(self) -> None:
        self.live.must_trigger("caller", "call")
        self.live.must_trigger("work", "pinned")
        self.materializations = {mode: self.materialize(f"time_{mode}") for mode in MODES}
        self.refills = {dag_id: self.refill(dag_id) for dag_id in REFILLS}

    def materialize(self, dag_id: str) -> tuple[int, str]:
        asset = self.lab.value("SELECT id FROM asset WHERE name = %s", f"of {dag_id}")
        return self.lab.api("POST", f"/api/v2/assets/{asset}/materialize")

    def refill(self, dag_id: str) -> tuple[int, str]:
        """A backfill with the button of the web interface. Without a choice Airflow takes the latest version."""
        choice = {"run_on_latest_version": False} if dag_id == "refill_held" and CLEARING_CHOOSES else {}
        request = {
            "dag_id": dag_id,
            "from_date": THERE,
            "to_date": NEW,
            "reprocess_behavior": REFILLS[dag_id],
        }
        return self.lab.api("POST", "/api/v2/backfills", request | choice)

    # --- To see ----------------------------------------------------------------------------------------

    def check(self) -> None:
        self.check_materializations()
        self.check_operator()
        self.check_work()
        self.check_refills()
        self.check_held_refills()
        if DAG_CHOOSES_RERUNS:
            self.check_dag_that_chooses()

    def check_materializations(self) -> None:
        for mode, (status, answer) in self.materializations.items():
            runs = self.runs_of_type(f"time_{mode}", MATERIALIZATION_RUN_TYPE)
            run_ids = [run_id for run_id in runs if run_id not in ("first", "by_api", "by_cli", "by_operator")]
            self.live.check_request(mode, "materialised asset", status == 200, answer, run_ids or ["(no run)"], False)

    def runs_of_type(self, dag_id: str, run_type: str) -> list[str]:
        rows = self.lab.query("SELECT run_id FROM dag_run WHERE dag_id = %s AND run_type = %s", dag_id, run_type)
        return [row["run_id"] for row in rows]

    def check_operator(self) -> None:
        caller = self.lab.wait_for_run("caller", "call")
        for mode in MODES:
            state = self.lab.value(
                "SELECT state FROM task_instance WHERE dag_id = 'caller' AND run_id = 'call' AND task_id = %s", mode
            )
            self.live.check_request(
                mode, "TriggerDagRunOperator", state == "success", f"the operator: {state}", ["by_operator"], False
            )
        run = self.lab.run("time_rewrite", "by_operator")
        self.live.check(
            "TriggerDagRunOperator has its type of run",
            wrong_values(run, {"run_type": OPERATOR_RUN_TYPE}) + wrong_values(caller, {"state": "failed"}),
        )

    def check_work(self) -> None:
        """A task mapped over a result, a retry, a deferred task, callbacks of tasks and of the DAG."""
        run = self.lab.wait_for_run("work", "pinned")
        expected = dict.fromkeys(WORK_RECORDS, f"v1 at {self.live.commits[1]}")
        may_run = {}
        if not ALWAYS_CALLS_BACK_FOR_DAGS:
            may_run["callback of the DAG"] = expected.pop("callback of the DAG")
        self.lab.wait_for(
            "tasks and callbacks", lambda: set(expected) <= set(self.lab.tasks_that_ran("work", "pinned"))
        )
        self.live.check(
            "mapped, deferred and retried tasks and callbacks are the pinned version's",
            wrong_values(run, {"state": "success"} | self.pinned())
            + self.live.task_problems(run, expected, may_run)
            + [
                f"{row['task_id']} [{row['map_index']}] is of version {row['version_number']}"
                for row in self.lab.query(
                    "SELECT t.task_id, t.map_index, v.version_number FROM task_instance t"
                    " LEFT JOIN dag_version v ON v.id = t.dag_version_id"
                    " WHERE t.dag_id = 'work' AND t.run_id = 'pinned' AND v.version_number IS DISTINCT FROM 1"
                )
            ],
        )

    def pinned(self) -> dict:
        return {"version_number": 1, "bundle_version": self.live.commits[1]}

    def check_refills(self) -> None:
        """New runs of a backfill follow the pin; what it does again goes where Airflow takes it."""
        again = {"version_number": 2 if CLEARING_CHOOSES else 1, "bundle_version": self.live.commits[2]}
        for dag_id, behavior in REFILLS.items():
            if dag_id in HOLDING_RERUNS:
                continue
            status, answer = self.refills[dag_id]
            problems = [] if status == 200 else [f"HTTP {status}: {answer}"]
            expected = self.pinned() if behavior == "none" else again
            problems += problems or self.refill_problems(dag_id, expected, 0 if behavior == "none" else 1)
            self.live.check(f"backfill that does again: {behavior}", problems)

    def refill_problems(self, dag_id: str, there: dict, clear_number: int) -> list[str]:
        new = [run_id for run_id in self.runs_of_type(dag_id, "backfill") if run_id != "there"]
        if len(new) != 1:
            return [f"the new runs are {new}"]
        run = self.lab.wait_for_run(dag_id, new[0])
        tasks = dict.fromkeys(TASKS[1], f"v1 at {self.live.commits[1]}")
        expected = {"state": "success", "action": "rewrite"} | self.pinned()
        problems = wrong_values(run, expected) + self.live.task_problems(run, tasks)
        run = self.lab.wait_for_run(dag_id, "there")
        return problems + wrong_values(run, {"state": "success", "clear_number": clear_number} | there)

    def check_held_refills(self) -> None:
        """reruns => 'pinned': a backfill does not take a run to the latest version, and may do it again at the pin."""
        status, answer = self.refills["refill_held"]
        problems = [] if status == 200 else [f"HTTP {status}: {answer}"]
        problems += problems or self.refill_problems("refill_held", self.pinned(), 1)
        self.live.check("a backfill that does held runs again at the pinned version runs", problems)
        if not CLEARING_CHOOSES:
            return
        status, answer = self.refills["refill_held_back"]
        problems = [f"accepted: {answer}"] if status == 200 else []
        run = self.lab.run("refill_held_back", "there")
        problems += wrong_values(run, {"state": "success", "clear_number": 0} | self.pinned())
        problems += [f"run {run_id} is there" for run_id in self.runs_of_type("refill_held_back", "backfill")]
        self.live.check("a backfill that would take held runs to the latest version is refused", problems)

    def check_dag_that_chooses(self) -> None:
        """A DAG's rerun_with_latest_version is for requests that do not choose, and is held as they are."""
        self.lab.wait_for_version("rerun_at_latest", 2)
        status, answer = self.live.clear("rerun_at_latest", "there", None)
        problems = [f"accepted: {answer}"] if status == 200 else []
        run = self.lab.run("rerun_at_latest", "there")
        problems += wrong_values(run, {"state": "success", "clear_number": 0} | self.pinned())
        self.live.check("a held run that its DAG takes to the latest version is not cleared", problems)

        problems = self.cleared_problems(False, self.pinned(), "v1", 1)
        self.live.check("it runs again at the pinned version where the request chooses that", problems)

        self.lab.query("SELECT airflow_pin.pin('rerun_at_latest', 1, reruns => 'airflow')")
        latest = {"version_number": 2, "bundle_version": self.live.commits[2]}
        problems = self.cleared_problems(None, latest, "v2", 2)
        self.live.check("where the pin does not hold re-runs, the DAG takes it to the latest version", problems)

    def cleared_problems(self, latest: bool | None, expected: dict, code: str, clear_number: int) -> list[str]:
        status, answer = self.live.clear("rerun_at_latest", "there", latest)
        if status != 200:
            return [f"HTTP {status}: {answer}"]
        run = self.lab.wait_for_run("rerun_at_latest", "there")
        ran = self.lab.tasks_that_ran("rerun_at_latest", "there")["keep"]["code"]
        problems = wrong_values(run, {"state": "success", "clear_number": clear_number} | expected)
        return problems + ([] if ran == code else [f"{ran} ran, not {code}"])

    def check_dags_test(self) -> None:
        """It runs the files at hand, whatever is pinned: as it does without a pin.

        A scheduler, where there is one, takes tasks of the run. The commit of the run, on which nothing depends, is that
        of table dag, from which Airflow takes it, or NULL: the command writes that there, and the DAG processor the
        other again.
        """
        self.lab.end("scheduler")
        expected = self.outcome_of_test("tested_unpinned")
        for dag_id in ("tested_rewrite", "tested_reject"):
            outcome = self.outcome_of_test(dag_id)
            problems = [] if outcome == expected else [f"it was {outcome}, without a pin {expected}"]
            for run_id in self.runs_of_type(dag_id, "manual"):
                run = self.lab.run(dag_id, run_id)
                problems += wrong_values(run, {"version_number": 2, "action": None})
                problems += ["it has the pin's commit"] * (run["bundle_version"] == self.live.commits[1])
            self.live.check(f"{TESTED[dag_id]}: airflow dags test is left alone", problems)

    def outcome_of_test(self, dag_id: str) -> dict:
        done = self.lab.airflow("dags", "test", dag_id)
        runs = self.runs_of_type(dag_id, "manual")
        if len(runs) != 1:
            return {"runs": runs, "output": done.stdout[-1500:]}
        run = self.lab.run(dag_id, runs[0])
        ran = {name: line["code"] for name, line in self.lab.tasks_that_ran(dag_id, runs[0]).items()}
        return {
            "exit status": done.returncode,
            "state": run["state"],
            "tasks": ran,
        }
