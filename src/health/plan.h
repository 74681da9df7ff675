/*
 * plan.h
 *		The revision that migration_plan() starts at.
 */
#ifndef HEALTH_PLAN_H
#define HEALTH_PLAN_H

#include "postgres.h"

extern const char *plan_read_revision(const char *schema, const char *table);

#endif
