/*
 * check_after.h
 *		The checks of postflight().
 */
#ifndef UPGRADE_CHECK_AFTER_H
#define UPGRADE_CHECK_AFTER_H

#include "postgres.h"

#include "health/health_check.h"

/* All that postflight() looks at besides its baseline. */
extern void check_after_migration(const Preflight *preflight);

#endif
