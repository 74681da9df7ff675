"""A deployment's own hook: it changes task instances in ways the DAG does not tell."""


def task_instance_mutation_hook(ti, dag_run=None):
    ti.queue = f"hooked {ti.task_id}"[:256]
    if ti.map_index >= 0:
        ti.pool_slots = 5
