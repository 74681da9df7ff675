/*
 * plan_names.h
 *		Which names of constraints and indexes Airflow's migrations need, give and take away.
 */
#ifndef PLAN_PLAN_NAMES_H
#define PLAN_PLAN_NAMES_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "plan/plan_steps.h"

/* What makes the revision fail, as it was seen to fail: */
#define NAME_NEEDED 0x01	   /* the thing is there, but has another name */
#define NAME_THING_NEEDED 0x02 /* nothing like it is there */
#define NAME_TWIN_BEFORE 0x04  /* another foreign key of its columns has a name that sorts before */
#define NAME_TWIN_AFTER 0x08   /* the same, a name that sorts after */
#define NAME_TAKEN 0x10		   /* something has the name, which the revision gives */
#define NAME_TAKEN_BY_OTHER 0x80 /* something has it that is not what the revision makes */
/* And what it does: */
#define NAME_MADE 0x20 /* the name is there when the revision is through */
#define NAME_GONE 0x40 /* the name is there no more, and a later revision gives it again */

/* A name that a pending migration needs, or must find free, in the database as it is now. */
typedef struct PendingName
{
	const PlanEntry *revision; /* that fails */
	int flags;
	char type;				/* a constraint's, as in pg_constraint.contype, or i for an index */
	Oid relation;			/* InvalidOid: its table is yet to be made */
	const char *name;		/* as it must be now, and will be */
	const char *definition; /* as the database has it, with "{schema}"; NULL: not known */
} PendingName;

extern List *pending_names(Component component, const char *schema, const Release *target);

#endif
