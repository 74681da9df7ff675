/*
 * expansion.h
 *		How many task instances a mapped task gets when its run is created.
 */
#ifndef TASKS_EXPANSION_H
#define TASKS_EXPANSION_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "tasks/task.h"

/* Called for each task that a task group names, with the number of that group. */
typedef void (*GroupMember)(const char *task_id, int group, void *arg);

/* Task groups of a DAG, as the product of the lengths of the mapped groups around a task. */
typedef struct TaskGroups
{
	int count;
	int capacity;
	int64 *lengths;
} TaskGroups;

extern void task_groups_read(TaskGroups *groups, JsonbContainer *root, GroupMember member,
							 void *arg);
extern int32 task_instances(const SerializedTask *task, const TaskGroups *groups);

#endif
