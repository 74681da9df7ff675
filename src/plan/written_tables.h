/*
 * written_tables.h
 *		Which tables do the pending steps of a migration write anew?
 */
#ifndef PLAN_WRITTEN_TABLES_H
#define PLAN_WRITTEN_TABLES_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "plan/plan_steps.h"

extern List *written_tables(const char *schema, const Release *target);

#endif
