"""Where the Airflow versions differ in what the tests call; the rest of the tests is the same for all of them."""

from __future__ import annotations

import inspect
from pathlib import Path

from airflow import __version__
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.serialization.serialized_objects import LazyDeserializedDAG, SerializedDAG
from airflow.utils.types import DagRunType

try:
    from airflow.dag_processing.dagbag import DagBag  # 3.2
except ImportError:
    from airflow.models.dagbag import DagBag

AIRFLOW = tuple(int(number) for number in __version__.split(".")[:2])

# What TriggerDagRunOperator and the materialization of an asset create: run types of their own since 3.3 and 3.2.
OPERATOR_RUN_TYPE = getattr(DagRunType, "OPERATOR_TRIGGERED", DagRunType.MANUAL)
MATERIALIZATION_RUN_TYPE = getattr(DagRunType, "ASSET_MATERIALIZATION", DagRunType.MANUAL)
# Since 3.3 a commit that leaves a DAG's serialised form as it was moves the commit of its latest version. So a
# version guard has something to do; before, such a commit shows in dag.bundle_version and in new runs only.
VERSION_FOLLOWS_COMMIT = AIRFLOW >= (3, 3)


def parse_folder(folder: Path, bundle_name: str) -> DagBag:
    arguments = {"dag_folder": str(folder), "bundle_path": folder, "bundle_name": bundle_name}
    return DagBag(**accepted(DagBag, include_examples=False, **arguments))


def serialize(dag) -> LazyDeserializedDAG:
    if AIRFLOW < (3, 1):
        return LazyDeserializedDAG(data=SerializedDAG.to_dict(dag))
    return LazyDeserializedDAG.from_dag(dag)


def write_dag(data: dict, bundle_name: str, commit: str, session) -> dict:
    """What the DAG processor does with a DAG that it has parsed. The errors that Airflow has with it."""
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
    return {name: value for name, value in arguments.items() if name in inspect.signature(function).parameters}
