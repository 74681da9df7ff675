"""executor_config of every kind of value that Airflow can serialise: it is stored pickled."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

START = datetime(2021, 1, 1)

CONFIGS = {
    "empty": {},
    "one": {"KubernetesExecutor": {"image": "airflow:latest"}},
    "scalars": {"t": True, "f": False, "n": None, "i": 1, "z": 0, "x": 1.5},
    "floats": {
        "tenth": 0.1,
        "third": 1 / 3,
        "negative": -2.5,
        "small": 1.5e-7,
        "whole": 2.0,
        "nz": -0.0,
        "big": 1.5e15,
    },
    # Stored as jsonb, these lose their exponent: Airflow itself reads the first back as an integer.
    "floats_large": {"e300": 1e300, "tiny": 5e-324, "max": 1.7976931348623157e308},
    "integers": {
        str(n): n
        for power in (7, 8, 15, 16, 31, 32, 53, 63)
        for n in (2**power - 1, 2**power, -(2**power), -(2**power) - 1)
        if -(2**63) <= n < 2**63
    },
    "integers_large": {
        str(n): n for n in (2**63, -(2**63) - 1, 2**64, 2**2040, -(2**2040), 10**60, -(10**60))
    },
    "strings": {
        "empty": "",
        "ascii": "abc",
        "quotes": "'\"\\\n\t",
        "accents": "çéñ",
        "wide": "猫🐈",
        "nul-less": "\x01\x7f",
    },
    "long_ascii": {"255": "a" * 255, "256": "b" * 256, "70000": "c" * 70000},
    "long_wide": {"85": "é" * 127 + "a", "128": "é" * 128, "40000": "猫" * 40000},
    "lists": {
        "e": [],
        "one": [1],
        "many": [1, "two", 3.0, None, True, [4, [5]]],
        "thousand": list(range(2500)),
    },
    "tuples": {
        "e": (),
        "one": (1,),
        "two": (1, 2),
        "three": (1, 2, 3),
        "four": (1, 2, 3, 4),
        "nested": ((1,), [(2, 3)]),
    },
    "sets": {"e": set(), "one": {1}, "words": {"a", "b", "c"}, "frozen": frozenset({1, 2})},
    "nested": {"a": {"b": {"c": {"d": [{"e": ({"f": 1},)}]}}}},
    "thousand_keys": {f"key {n}": n for n in range(1001)},
    "exactly_thousand_keys": {f"key {n}": n for n in range(1000)},
    "many_keys": {f"key {n}": {"value": n} for n in range(2500)},
    "unicode_keys": {"ключ": 1, "": 2, "__type": 3, "__var": 4},
    "dates": {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "for": timedelta(hours=1, seconds=5)},
}

for name, config in CONFIGS.items():
    with DAG(f"corner_config_{name}", schedule="@daily", start_date=START, catchup=False):
        EmptyOperator(task_id="has_it", executor_config=config)
        EmptyOperator(task_id="has_none")

        @task(executor_config=config)
        def mapped(x):
            return x

        mapped.expand(x=[1, 2])

with DAG(
    "corner_config_default_args",
    schedule="@daily",
    start_date=START,
    catchup=False,
    default_args={"executor_config": {"from": "default_args"}},
):
    EmptyOperator(task_id="inherits")
    EmptyOperator(task_id="overrides", executor_config={"own": 1})

try:
    from kubernetes.client import models as k8s
except ImportError:
    k8s = None

if k8s is not None:
    with DAG("corner_config_pod_override", schedule="@daily", start_date=START, catchup=False):
        pod = k8s.V1Pod(
            metadata=k8s.V1ObjectMeta(labels={"release": "stable"}, annotations={"a": "é"}),
            spec=k8s.V1PodSpec(
                containers=[
                    k8s.V1Container(
                        name="base",
                        env=[k8s.V1EnvVar(name="STATE", value="wa")],
                        resources=k8s.V1ResourceRequirements(requests={"cpu": "500m", "memory": "1Gi"}),
                        volume_mounts=[k8s.V1VolumeMount(mount_path="/tmp", name="tmp")],
                    )
                ],
                volumes=[k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource())],
            ),
        )
        EmptyOperator(task_id="pod", executor_config={"pod_override": pod})
        EmptyOperator(
            task_id="pod_and_more", executor_config={"pod_override": pod, "pod_template_file": "/x"}
        )
        EmptyOperator(task_id="empty_pod", executor_config={"pod_override": k8s.V1Pod()})
