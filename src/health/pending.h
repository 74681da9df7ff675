/*
 * pending.h
 *		The revisions that a migration has still to go through.
 */
#ifndef HEALTH_PENDING_H
#define HEALTH_PENDING_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "health/plan_steps.h"

extern const char *version_table_of(Component component);
extern const char *database_revision(Component component, const char *schema);
extern List *pending_revisions(Component component, const char *schema, const Release *target);

#endif
