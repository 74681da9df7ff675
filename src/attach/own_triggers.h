/*
 * own_triggers.h
 *		The triggers on the extension's own tables: are they as they were installed?
 */
#ifndef ATTACH_OWN_TRIGGERS_H
#define ATTACH_OWN_TRIGGERS_H

#include "postgres.h"

/* A trigger without which pins are held only half. */
typedef struct OwnTrigger
{
	const char *table;
	const char *name;
	bool always;		   /* also for what logical replication brings */
	bool came_with_update; /* not in 1.0: pins are in force without it, as 1.0 had them */
} OwnTrigger;

#define OWN_TRIGGERS 5

extern const OwnTrigger own_triggers[OWN_TRIGGERS];

extern bool own_trigger_exists(const OwnTrigger *trigger);
extern bool own_trigger_is_as_installed(const OwnTrigger *trigger);
extern bool own_trigger_fires(const OwnTrigger *trigger, bool replica);

#endif
