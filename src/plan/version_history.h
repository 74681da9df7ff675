/*
 * version_history.h
 *		Which revision a version table had before the one that it has.
 */
#ifndef PLAN_VERSION_HISTORY_H
#define PLAN_VERSION_HISTORY_H

#include "postgres.h"

#include "plan/plan_steps.h"

extern const char *went_back_from(Component component, const char *schema, const char *revision);

#endif
