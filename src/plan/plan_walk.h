/*
 * plan_walk.h
 *		Go through a plan's steps and find the tables that they are about.
 */
#ifndef PLAN_PLAN_WALK_H
#define PLAN_PLAN_WALK_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "plan/plan_steps.h"

/*
 * Something that the tables have now and the plan takes away or gives another type: "TABLE",
 * "CONSTRAINT task_instance_pkey", "INDEX ti_job_id", "COLUMN conf"; the same as "DROPPED conf", or
 * as "RETYPED conf", unless the type is only longer, and "ROW", the table's row type. And "PRIMARY
 * KEY id" for a column of the key that there will be.
 */
typedef struct PlanChange
{
	Oid relation;
	const char *what;
} PlanChange;

/* A step is one or more of these. */
typedef struct PlanAction
{
	const PlanEntry *revision;
	const PlanEntry *step; /* whose relation is named as it is when the step runs */
	Oid relation;		   /* the table, InvalidOid when it is yet to be created */
	const char *text;	   /* "DROP COLUMN conf" */
} PlanAction;

typedef void (*PlanVisitor)(const PlanAction *action, void *arg);

extern void plan_walk(List *revisions, Oid namespace, PlanVisitor visit, void *arg);
extern Oid plan_step_relation(List *steps_before, const char *name, Oid namespace);
extern List *plan_changes(List *revisions, Oid namespace);

#endif
