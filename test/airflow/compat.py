"""Where the Airflow versions differ for the tests; the rest of them is the same for all.

Airflow is imported in functions only: importing it writes into AIRFLOW_HOME, and the live test's own process
has none.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

AIRFLOW = tuple(int(number) for number in version("apache-airflow").split(".")[:2])

# What TriggerDagRunOperator and the materialization of an asset create.
OPERATOR_RUN_TYPE = "operator_triggered" if AIRFLOW >= (3, 3) else "manual"
MATERIALIZATION_RUN_TYPE = "asset_materialization" if AIRFLOW >= (3, 2) else "manual"
# Does a commit that leaves a DAG's serialised form as it was move the commit of its latest version? If so, the
# version guard makes it a version of its own; if not, it shows in dag.bundle_version and in new runs only.
VERSION_FOLLOWS_COMMIT = AIRFLOW >= (3, 3)
# Does the execution API look a task up in the version of its run? If not, in the latest: a task that this one
# does not have cannot start, pinned or not.
RUNS_REMOVED_TASKS = AIRFLOW >= (3, 1)
# Are there assets with partitions, and runs of them?
HAS_PARTITIONS = AIRFLOW >= (3, 2)
# Can whoever clears a run choose its version? If not, it stays at its version, and moves to the latest commit.
CLEARING_CHOOSES = AIRFLOW >= (3, 1)
# Can a DAG say (rerun_with_latest_version) to which version clearing takes its runs where whoever clears does not?
DAG_CHOOSES_RERUNS = AIRFLOW >= (3, 3)
# Does the DAG processor always run a DAG's own callbacks? That of 3.1 and 3.2 forgets one when it lists the bundle's files
# before the callback's turn comes: purge_removed_files_from_queue() (dag_processing/manager.py) compares with the commit.
ALWAYS_CALLS_BACK_FOR_DAGS = AIRFLOW < (3, 1) or AIRFLOW >= (3, 3)


def parse_folder(folder: Path, bundle_name: str):
    """Airflow's DagBag of a folder."""
    if AIRFLOW >= (3, 2):
        from airflow.dag_processing.dagbag import DagBag
    else:
        from airflow.models.dagbag import DagBag
    arguments = {"dag_folder": str(folder), "bundle_path": folder, "bundle_name": bundle_name}
    return DagBag(**accepted(DagBag, include_examples=False, **arguments))


def serialize(dag):
    """The DAG as a LazyDeserializedDAG."""
    from airflow.serialization.serialized_objects import LazyDeserializedDAG, SerializedDAG

    if AIRFLOW >= (3, 1):
        return LazyDeserializedDAG.from_dag(dag)
    return LazyDeserializedDAG(data=SerializedDAG.to_dict(dag))


def write_dag(data: dict, bundle_name: str, commit: str, session) -> dict:
    """What the DAG processor does with a DAG that it has parsed. Returns the errors that Airflow has with it."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    errors: dict = {}
    update_dag_parsing_results_in_db(
        **accepted(
            update_dag_parsing_results_in_db,
            bundle_name=bundle_name,
            bundle_version=commit,
            dags=[LazyDeserializedDAG(data=data)],
            import_errors=errors,
            parse_duration=None,
            warnings=set(),
            session=session,
        )
    )
    return errors


def accepted(function, **arguments) -> dict:
    """The arguments that this version of the function knows."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in arguments.items() if name in known}
