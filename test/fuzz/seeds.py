"""Serialized DAGs of real Airflow as seeds for the fuzzer; runs in Airflow's virtual environment.

    python test/fuzz/seeds.py DIRECTORY

Writes each example DAG of Airflow and each DAG of test/airflow/dags as JSON, and a few compressed as Airflow
stores them.
"""

import json
import sys
import zlib
from pathlib import Path

import airflow

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "airflow"))
from compat import parse_folder, serialize

COMPRESSED = 5


def main(directory: Path) -> None:
    folders = [Path(airflow.__path__[0]) / "example_dags", HERE.parent / "airflow" / "dags"]
    dags = [dag for folder in folders for dag in parse_folder(folder, "seeds").dags.values()]
    for number, dag in enumerate(dags):
        text = json.dumps(serialize(dag).data, sort_keys=True).encode()
        (directory / f"{dag.dag_id}.json").write_bytes(text)
        if number < COMPRESSED:
            (directory / f"{dag.dag_id}.zlib").write_bytes(zlib.compress(text))
    print(f"{len(dags)} DAGs")


main(Path(sys.argv[1]))
