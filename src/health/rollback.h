/*
 * rollback.h
 *		What would be lost when a backup is restored.
 */
#ifndef HEALTH_ROLLBACK_H
#define HEALTH_ROLLBACK_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

extern TimestampTz required_since(FunctionCallInfo fcinfo);

#endif
