/*
 * plan_walk.h
 *		Go through a plan's steps and find the tables that they are about.
 */
#ifndef HEALTH_PLAN_WALK_H
#define HEALTH_PLAN_WALK_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "health/plan_steps.h"

/* Something that the tables have now and the plan takes away or gives another type. */
typedef struct PlanChange
{
	Oid relation;
	const char *what; /* "COLUMN conf", "CONSTRAINT task_instance_pkey" or "TABLE" */
} PlanChange;

extern Oid plan_step_relation(List *steps_before, const char *name, Oid namespace);
extern List *plan_changes(List *revisions, Oid namespace);

#endif
