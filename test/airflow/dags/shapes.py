"""DAGs that are unusual as a whole: none or many tasks, set-up and teardown, dates, schedules."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, TaskGroup, setup, task, teardown

START = datetime(2021, 1, 1)

with DAG("corner_no_tasks", schedule="@daily", start_date=START, catchup=False):
    pass

with DAG("corner_one_task", schedule=None):
    EmptyOperator(task_id="only")

with DAG("corner_no_start_date", schedule=None, catchup=False):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")

with DAG("corner_500_tasks", schedule="@daily", start_date=START, catchup=False):
    layers = [
        [
            EmptyOperator(
                task_id=f"t{layer}_{n}", priority_weight=layer + n, retries=n % 4, pool_slots=n % 3 + 1
            )
            for n in range(20)
        ]
        for layer in range(25)
    ]
    for upper, lower in zip(layers, layers[1:]):
        for n, node in enumerate(upper):
            node >> [lower[n], lower[(n + 7) % 20]]

with DAG("corner_setup_teardown", schedule="@daily", start_date=START, catchup=False):

    @setup
    @task(retries=3)
    def make():
        return 1

    @teardown(on_failure_fail_dagrun=True)
    @task(pool_slots=2)
    def unmake():
        return 1

    @task(priority_weight=4)
    def work():
        return 1

    with TaskGroup("group"):
        with make() >> unmake():
            work() >> work.override(task_id="more", weight_rule="upstream")()
    before = EmptyOperator(task_id="classic_setup")
    (
        before
        >> EmptyOperator(task_id="x")
        >> EmptyOperator(task_id="classic_teardown").as_teardown(setups=before)
    )

with DAG("corner_task_dates", schedule="@daily", start_date=START, catchup=False):
    # The differential test takes the dates below, and a moment before and after each, as logical dates.
    EmptyOperator(task_id="always")
    EmptyOperator(task_id="from_march", start_date=datetime(2026, 3, 1, tzinfo=timezone.utc))
    EmptyOperator(task_id="until_may", end_date=datetime(2026, 5, 1, tzinfo=timezone.utc))
    EmptyOperator(
        task_id="one_moment",
        start_date=datetime(2026, 4, 1, 12, 30, 15, 123456, tzinfo=timezone.utc),
        end_date=datetime(2026, 4, 1, 12, 30, 15, 123456, tzinfo=timezone.utc),
    )

    @task
    def number(x):
        return x

    number.override(task_id="mapped_from_march", start_date=datetime(2026, 3, 1, tzinfo=timezone.utc)).expand(
        x=[1, 2, 3]
    )

with DAG(
    "corner_dag_dates", schedule="@daily", start_date=START, end_date=datetime(2026, 4, 1), catchup=False
):
    EmptyOperator(task_id="a")
    EmptyOperator(task_id="b", end_date=datetime(2026, 6, 1))

with DAG("corner_asset_scheduled", schedule=[Asset("corner://asset")], start_date=START):
    EmptyOperator(task_id="a", outlets=[Asset("corner://other")]) >> EmptyOperator(
        task_id="b", inlets=[Asset("corner://x")]
    )
