/*
 * priority.h
 *		Priority weights of task instances under Airflow's built-in weight rules.
 */
#ifndef AIRFLOW_PRIORITY_H
#define AIRFLOW_PRIORITY_H

#include "postgres.h"

#include "airflow/task.h"

/* Who comes after whom: edges[first[i] .. first[i + 1] - 1] are the neighbours of task i. */
typedef struct TaskEdges
{
	int *first;
	int *edges;
} TaskEdges;

typedef struct TaskGraph
{
	int count;
	const SerializedTask *tasks;
	TaskEdges downstream;
	TaskEdges upstream;
	int *seen; /* scratch space of priority_weight() */
	int *stack;
	int round;
} TaskGraph;

extern void task_graph_build(TaskGraph *graph, const SerializedTask *tasks, int count);
extern int32 priority_weight(TaskGraph *graph, int task);

#endif
