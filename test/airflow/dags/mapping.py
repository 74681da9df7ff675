"""Mapped tasks and task groups: which of them Airflow expands when it creates the run."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task, task_group

START = datetime(2021, 1, 1)


@task
def produce():
    return [1, 2, 3]


@task
def consume(x=None, y=None):
    return [x, y]


with DAG("corner_map_literal", schedule="@daily", start_date=START, catchup=False):
    consume.override(task_id="one_list").expand(x=[1, 2, 3])
    consume.override(task_id="product").expand(x=[1, 2, 3], y=["a", "b"])
    consume.override(task_id="with_partial").partial(y=9).expand(x=["a", {"b": [1, 2]}, None, True])
    consume.override(task_id="one_item").expand(x=[7])
    consume.override(task_id="none_at_all").expand(x=[])
    consume.override(task_id="product_with_none").expand(x=[1, 2], y=[])
    consume.override(task_id="from_dict").expand(x={"a": 1, "b": 2, "c": 3, "d": 4})
    consume.override(task_id="dict_and_list").expand(x={"a": 1, "b": 2}, y=[1, 2, 3])
    BashOperator.partial(
        task_id="classic", pool_slots=2, retries=4, queue="mapped", priority_weight=7, weight_rule="upstream"
    ).expand(bash_command=["echo 1", "echo 2"])
    BashOperator.partial(task_id="kwargs").expand_kwargs(
        [
            {"bash_command": "echo 1", "env": {"A": "1"}},
            {"bash_command": "echo 2"},
            {"bash_command": "echo 3"},
        ]
    )
    BashOperator.partial(task_id="no_kwargs").expand_kwargs([])

with DAG("corner_map_xcom", schedule="@daily", start_date=START, catchup=False):
    numbers = produce()
    consume.override(task_id="over_xcom").expand(x=numbers)
    consume.override(task_id="xcom_and_literal").expand(x=numbers, y=[1, 2])
    consume.override(task_id="over_mapped").expand(x=numbers.map(lambda n: n + 1))
    consume.override(task_id="over_zip").expand(x=numbers.zip(produce.override(task_id="other_numbers")()))
    consume.override(task_id="kwargs_xcom").expand_kwargs(numbers.map(lambda n: {"x": n, "y": n}))
    consume.override(task_id="list_of_kwargs_xcom").expand_kwargs([{"x": numbers}, {"y": 2}])

with DAG("corner_map_groups", schedule="@daily", start_date=START, catchup=False):

    @task_group
    def literal_group(n, suffix="s"):
        first = consume.override(task_id="first")(x=n)
        EmptyOperator(task_id="second", pool_slots=3) << first

        @task_group
        def plain_inner(m):
            consume.override(task_id="deep")(x=m)

        plain_inner(n)

    @task_group
    def empty_literal_group(n):
        consume.override(task_id="never")(x=n)

    @task_group
    def xcom_group(n):
        consume.override(task_id="later")(x=n)

    @task_group
    def plain_outer():
        literal_group.override(group_id="inside")(n=5)
        consume.override(task_id="mapped_in_plain").expand(x=[1, 2, 3, 4])

    literal_group.expand(n=[1, 2, 3])
    literal_group.override(group_id="by_two").expand(n=[1, 2], suffix=["x", "y", "z"])
    literal_group.override(group_id="by_kwargs").expand_kwargs([{"n": 1}, {"n": 2, "suffix": "t"}])
    empty_literal_group.expand(n=[])
    xcom_group.expand(n=produce())
    plain_outer()

with DAG("corner_map_nested_groups", schedule="@daily", start_date=START, catchup=False):
    # Airflow refuses a mapped task in a mapped task group, but takes a mapped group in one.
    def nest(name, outer_items, inner_items):
        @task_group(group_id=name)
        def outer(n):
            consume.override(task_id="beside", retries=2)(x=n)

            @task_group
            def inner(m):
                consume.override(task_id="deep", pool_slots=2)(x=m)

                @task_group
                def innermost(o):
                    consume.override(task_id="deepest")(x=o)

                innermost.expand(o=["a", "b"])

            inner.expand(m=inner_items)

        outer.expand(n=outer_items)

    items = produce()
    nest("literals", [1, 2, 3], [1, 2])
    nest("empty_outer", [], [1, 2])
    nest("empty_inner", [1, 2, 3], [])
    nest("xcom_outer", items, [1, 2])
    nest("xcom_inner", [1, 2, 3], items)

with DAG("corner_map_order", schedule="@daily", start_date=START, catchup=False):
    # A mapped task counts as one task for the priority weights of its upstreams.
    start = EmptyOperator(task_id="start", priority_weight=5)
    middle = consume.override(task_id="middle", priority_weight=11).expand(x=[1, 2, 3])
    end = EmptyOperator(task_id="end", priority_weight=17)
    start >> middle >> end
