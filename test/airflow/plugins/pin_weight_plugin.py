"""A custom weight rule, as a deployment would add one."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from airflow.task.priority_strategy import PriorityWeightStrategy


class LongestNameFirst(PriorityWeightStrategy):
    def get_weight(self, ti):
        return 100 * len(ti.task_id)


class PinWeightPlugin(AirflowPlugin):
    name = "pin_weight_plugin"
    priority_weight_strategies = [LongestNameFirst]
