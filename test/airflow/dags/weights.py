"""Priority weights under each built-in weight rule, on several shapes."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, chain

START = datetime(2021, 1, 1)
RULES = ("downstream", "upstream", "absolute")

for rule in RULES:
    with DAG(
        f"corner_weight_{rule}",
        schedule="@daily",
        start_date=START,
        catchup=False,
        default_args={"weight_rule": rule},
    ):
        # Diamonds: a task that two paths reach counts once.
        top = EmptyOperator(task_id="top", priority_weight=3)
        left = EmptyOperator(task_id="left", priority_weight=5)
        right = EmptyOperator(task_id="right", priority_weight=7)
        bottom = EmptyOperator(task_id="bottom", priority_weight=11)
        top >> [left, right] >> bottom
        top >> bottom
        links = [EmptyOperator(task_id=f"link_{n}", priority_weight=n) for n in range(40)]
        chain(*links)
        links[0] >> links[39]
        fan_in = EmptyOperator(task_id="fan_in", priority_weight=2)
        [EmptyOperator(task_id=f"wide_{n}") for n in range(30)] >> fan_in
        with TaskGroup("group") as group:
            EmptyOperator(task_id="a", priority_weight=13) >> EmptyOperator(task_id="b", priority_weight=19)
        bottom >> group >> fan_in
        EmptyOperator(task_id="alone", priority_weight=23)

with DAG("corner_weight_mixed", schedule="@daily", start_date=START, catchup=False):
    previous = None
    for n in range(12):
        current = EmptyOperator(task_id=f"t{n}", priority_weight=n + 1, weight_rule=RULES[n % 3])
        if previous is not None:
            previous >> current
        previous = current

# As near to the ends of an integer as Airflow itself can go.
for rule, weights in {
    "downstream": [1, 2**31 - 2],
    "upstream": [2**31 - 2, 1],
    "absolute": [2**31 - 1, -(2**31)],
}.items():
    with DAG(f"corner_weight_limits_{rule}", schedule="@daily", start_date=START, catchup=False):
        chain(
            *[
                EmptyOperator(task_id=f"t{n}", priority_weight=weight, weight_rule=rule)
                for n, weight in enumerate(weights)
            ]
        )

for name, weights in {"zero": [0, 0, 0], "negative": [-5, -1, 3]}.items():
    with DAG(f"corner_weight_{name}", schedule="@daily", start_date=START, catchup=False):
        chain(
            *[
                EmptyOperator(task_id=f"{rule}_{n}", priority_weight=weight, weight_rule=rule)
                for rule in RULES
                for n, weight in enumerate(weights)
            ]
        )
