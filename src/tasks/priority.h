/*
 * priority.h
 *		Priority weights of task instances under Airflow's built-in weight rules.
 */
#ifndef TASKS_PRIORITY_H
#define TASKS_PRIORITY_H

#include "postgres.h"

#include "tasks/task.h"

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
	int *seen; /* scratch space of priority_weight_by_rule() */
	int *stack;
	int round;
	int64 steps; /* dependencies that were followed, of all tasks so far */
} TaskGraph;

extern void task_graph_build(TaskGraph *graph, const SerializedTask *tasks, int count);
extern int64 priority_weight_by_rule(TaskGraph *graph, int task, WeightRule rule);
extern int32 priority_weight_checked(int64 weight, const char *task_id);

#endif
