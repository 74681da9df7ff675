"""A weight rule from a plugin: nothing in the database says how it weighs."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from pin_weight_plugin import LongestNameFirst

with DAG("corner_weight_plugin", schedule="@daily", start_date=datetime(2021, 1, 1), catchup=False):
    EmptyOperator(task_id="short", weight_rule=LongestNameFirst()) >> EmptyOperator(
        task_id="rather_long", weight_rule=LongestNameFirst()
    )
    EmptyOperator(task_id="built_in", priority_weight=3)
