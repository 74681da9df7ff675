"""Names, and the other columns that a task instance copies from its task."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, task

START = datetime(2021, 1, 1)


class PlainCustom(BaseOperator):
    def execute(self, context):
        return None


class NamedCustom(BaseOperator):
    custom_operator_name = "A name of its own ✓"

    def __init__(self, *, value=None, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context):
        return None


class DerivedEmpty(EmptyOperator):
    pass


with DAG("corner_columns", schedule="@daily", start_date=START, catchup=False):
    EmptyOperator(task_id="plain")
    EmptyOperator(task_id="pool", pool="some pool", pool_slots=4)
    EmptyOperator(task_id="retries", retries=9)
    EmptyOperator(task_id="no_retries", retries=0)
    EmptyOperator(task_id="queue", queue="a queue")
    EmptyOperator(task_id="run_as_user", run_as_user="nobody")
    EmptyOperator(task_id="executor", executor="LocalExecutor")
    EmptyOperator(task_id="weight", priority_weight=42)
    EmptyOperator(task_id="display", task_display_name="Shown as “this” 🐈")
    PlainCustom(task_id="custom")
    NamedCustom(task_id="named")
    NamedCustom.partial(task_id="named_mapped", task_display_name="Mapped, named").expand(value=[1, 2])
    DerivedEmpty(task_id="derived", trigger_rule="all_done")
    PythonOperator(task_id="python", python_callable=print)
    BashOperator(task_id="bash", bash_command="true")

    @task(task_display_name="decorated display", retries=2, pool="decorated", queue="decorated")
    def decorated():
        return 1

    @task.bash(pool_slots=2)
    def decorated_bash():
        return "true"

    @task.short_circuit(max_active_tis_per_dag=1)
    def decorated_short_circuit():
        return True

    decorated() >> [decorated_bash(), decorated_short_circuit()]
    decorated.override(task_id="decorated_mapped", retries=5, run_as_user="me").partial().expand_kwargs(
        [{}, {}]
    )

with DAG(
    "corner_default_args",
    schedule="@daily",
    start_date=START,
    catchup=False,
    default_args={
        "retries": 6,
        "pool": "from defaults",
        "pool_slots": 2,
        "queue": "from defaults",
        "priority_weight": 8,
        "run_as_user": "somebody",
        "executor": "LocalExecutor",
    },
):
    EmptyOperator(task_id="inherits") >> EmptyOperator(
        task_id="back_to_normal",
        retries=0,
        pool="default_pool",
        pool_slots=1,
        queue="default",
        priority_weight=1,
        run_as_user=None,
        executor=None,
    )
    BashOperator.partial(task_id="mapped").expand(bash_command=["a", "b"])
    BashOperator.partial(task_id="mapped_back", retries=0, pool_slots=1, queue="default").expand(
        bash_command=["a", "b"]
    )

with DAG(
    "corner_unicode_名前.é-ü", schedule="@daily", start_date=START, catchup=False, dag_display_name="Ünï"
):
    EmptyOperator(task_id="タスク") >> EmptyOperator(task_id="tâche.with-dots_", task_display_name="タスク")

with DAG("d" * 250, schedule="@daily", start_date=START, catchup=False):
    EmptyOperator(task_id="t" * 250)
