"""Gives a fresh metadata database what monitoring is to show: pinned DAGs of two versions, and their runs.

Runs in Airflow's virtual environment: versions and runs are written by Airflow itself. See run.
"""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone

warnings.simplefilter("ignore")

import psycopg2
from airflow.configuration import conf
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.dagbag import DBDagBag
from airflow.models.dagbundle import DagBundleModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

BUNDLE = "git"
# What each DAG is pinned with; what its second version makes of a scheduled run.
PINS = {"rewritten": "rewrite", "refused": "reject", "observed": "observe", "lost": "rewrite"}


def write_versions(commit: str, *tasks: str) -> None:
    """What the DAG processor does with the DAGs that it has parsed."""
    dags = []
    for dag_id in PINS:
        with DAG(dag_id, schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
            for task in tasks:
                EmptyOperator(task_id=task)
        dag.fileloc, dag.relative_fileloc = __file__, "dags.py"
        dags.append(LazyDeserializedDAG.from_dag(dag))
    with create_session() as session:
        update_dag_parsing_results_in_db(
            bundle_name=BUNDLE, bundle_version=commit, dags=dags, import_errors={}, parse_duration=None,
            warnings=set(), session=session,
        )  # fmt: skip


def create_runs(day: int) -> None:
    """As the scheduler does it."""
    date = datetime(2026, 6, day, tzinfo=timezone.utc)
    for dag_id in PINS:
        with create_session() as session:
            DBDagBag().get_latest_version_of_dag(dag_id, session=session).create_dagrun(
                run_id=f"scheduled__{date.isoformat()}", logical_date=date, data_interval=(date, date + timedelta(1)),
                run_after=date, run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TIMETABLE,
                state=DagRunState.QUEUED, session=session,
            )  # fmt: skip


def main() -> None:
    connection = psycopg2.connect(conf.get("database", "sql_alchemy_conn").replace("+psycopg2", ""))
    connection.autocommit = True
    cursor = connection.cursor()
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    write_versions("1" * 40, "extract", "load")
    create_runs(1)
    write_versions("2" * 40, "extract", "report")
    cursor.execute("CREATE EXTENSION airflow_pin")
    cursor.execute("SELECT airflow_pin.attach()")
    for dag_id, on_mismatch in PINS.items():
        cursor.execute("SELECT airflow_pin.pin(%s, 1, on_mismatch => %s)", (dag_id, on_mismatch))
    # What should not be done, and the extension does not let happen while it is enabled.
    cursor.execute("SET airflow_pin.enabled = off")
    cursor.execute("DELETE FROM task_instance WHERE dag_id = 'lost'")
    cursor.execute("DELETE FROM dag_version WHERE dag_id = 'lost' AND version_number = 1")
    create_runs(2)
    cursor.execute("SELECT airflow_pin.baseline('before')")
    cursor.execute("UPDATE dag_run SET queued_at = now() - interval '2 hours' WHERE dag_id = 'rewritten'")


if __name__ == "__main__":
    main()
