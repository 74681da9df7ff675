/*
 * version_history.h
 *		Which revision a version table had before the one that it has.
 */
#ifndef HEALTH_VERSION_HISTORY_H
#define HEALTH_VERSION_HISTORY_H

#include "postgres.h"

#include "health/plan_steps.h"

extern const char *went_back_from(Component component, const char *schema, const char *revision);

#endif
