/*
 * attached_triggers.h
 *		Our triggers on Airflow's tables: what they are, and whether they are there.
 */
#ifndef AIRFLOW_ATTACHED_TRIGGERS_H
#define AIRFLOW_ATTACHED_TRIGGERS_H

#include "postgres.h"

/* What is known of one of our triggers on Airflow's tables. */
typedef enum AttachState
{
	ATTACH_MISSING,
	ATTACH_DISABLED,
	ATTACH_PRESENT
} AttachState;

/* A trigger that attach() puts on a table of Airflow. */
typedef struct AttachedTrigger
{
	const char *table;
	const char *function;
	const char *name;
	int16 type;		   /* pg_trigger.tgtype */
	const char *event; /* the same in SQL, but for the level */
	/*
	 * Not in 1.0: pins are in force without it, as 1.0 had them, and sessions with the library of 1.0
	 * cannot call it.
	 */
	bool came_with_update;
} AttachedTrigger;

#define ATTACHED_TRIGGERS 10

extern const AttachedTrigger attached_triggers[ATTACHED_TRIGGERS];

extern bool attached_trigger_exists(const AttachedTrigger *trigger);
extern const AttachedTrigger *attached_trigger(const char *function);
extern bool trigger_fires(char enabled, bool replica);
extern AttachState airflow_trigger_state(Oid relation, const AttachedTrigger *trigger, bool replica,
										 char **trigger_name);
extern AttachState airflow_find_trigger(Oid relation, const AttachedTrigger *trigger,
										char **trigger_name);

#endif
