/*
 * pending.h
 *		The revisions that a migration has still to go through.
 */
#ifndef PLAN_PENDING_H
#define PLAN_PENDING_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "plan/plan_steps.h"

extern const char *version_table_of(Component component);
extern const char *database_revision(Component component, const char *schema);
extern List *pending_revisions(Component component, const char *schema, const Release *target);

#endif
