"""Makes another version of a serialised DAG that differs wherever a task instance could take something from."""

from __future__ import annotations

import copy
import json

from compat import RUNS_REMOVED_TASKS

ADDED_TASK = "zz_added_in_version_2"


def mutate(data: dict, only_task_set: bool = False) -> tuple[dict, str | None]:
    """The changed copy, and the id of the task that it lacks: None where every task is needed by another, and
    where Airflow could not run one that the copy lacks.

    With only_task_set the tasks that are in both versions stay as they are.
    """
    data = copy.deepcopy(data)
    dag = data["dag"]
    dag["description"] = "changed"
    removed = remove_a_task(dag) if RUNS_REMOVED_TASKS else None
    if not only_task_set:
        for task in dag["tasks"]:
            change_task(task["__var"])
        change_lengths_of_groups(dag["task_group"])
    add_a_task(dag)
    return data, removed


def remove_a_task(dag: dict) -> str | None:
    """Takes out the first task that no other part of the DAG mentions."""
    for task in dag["tasks"]:
        task_id = task["__var"]["task_id"]
        group = copy.deepcopy(dag["task_group"])
        remove_child(group, task_id)
        others = [without_edge(other, task_id) for other in dag["tasks"] if other is not task]
        if json.dumps(task_id) not in json.dumps([others, group]):
            dag["tasks"] = others
            dag["task_group"] = group
            return task_id
    return None


def remove_child(group: dict, task_id: str) -> None:
    group["children"].pop(task_id, None)
    for kind, child in group["children"].values():
        if kind == "taskgroup":
            remove_child(child, task_id)


def without_edge(task: dict, task_id: str) -> dict:
    task = copy.deepcopy(task)
    downstream = task["__var"].get("downstream_task_ids", [])
    if task_id in downstream:
        downstream.remove(task_id)
    return task


def change_task(variables: dict) -> None:
    mapped = variables.get("_is_mapped", False)
    values = variables.setdefault("partial_kwargs", {}) if mapped else variables
    number = sum(map(ord, variables["task_id"]))
    values["pool"] = "changed pool"
    values["pool_slots"] = values.get("pool_slots", 1) + 1 + number % 3
    values["retries"] = values.get("retries", 0) + 1 + number % 5
    values["queue"] = "changed queue"
    values["priority_weight"] = 1000 + number % 7
    values["weight_rule"] = "absolute" if values.get("weight_rule") != "absolute" else "upstream"
    values["executor_config"] = {"__type": "dict", "__var": {"changed": number}}
    values["run_as_user"] = "changed user"
    values["executor"] = "changed executor"
    values["task_display_name" if mapped else "_task_display_name"] = "changed name"
    variables["_operator_name"] = "changed operator"
    variables["task_type"] = "Changed" + variables["task_type"]
    for key in ("start_date", "end_date"):
        values.pop(key, None)
    for key in ("expand_input", "op_kwargs_expand_input"):
        if key in variables:
            change_length(variables[key])


def change_lengths_of_groups(group: dict) -> None:
    if "expand_input" in group:
        change_length(group["expand_input"])
    for kind, child in group["children"].values():
        if kind == "taskgroup":
            change_lengths_of_groups(child)


def change_length(expand_input: dict) -> None:
    """One more item in each literal of a mapped task or task group."""
    value = expand_input["value"]
    if isinstance(value, list):
        value.append({"__type": "dict", "__var": {}})
    elif isinstance(value, dict) and value.get("__type") == "dict":
        for item in value["__var"].values():
            if isinstance(item, list):
                item.append("added")
            elif isinstance(item, dict) and item.get("__type") == "dict":
                item["__var"]["added"] = "added"


def add_a_task(dag: dict) -> None:
    """A task upstream of the first one, with every default. It weighs nothing: some weights are at their limits."""
    dag["tasks"].append(
        {
            "__type": "operator",
            "__var": {
                "task_id": ADDED_TASK,
                "task_type": "EmptyOperator",
                "_task_module": "airflow.providers.standard.operators.empty",
                "priority_weight": 0,
                "downstream_task_ids": [task["__var"]["task_id"] for task in dag["tasks"][:1]],
                "template_fields": [],
                "_needs_expansion": False,
            },
        }
    )
    dag["task_group"]["children"][ADDED_TASK] = ["operator", ADDED_TASK]
