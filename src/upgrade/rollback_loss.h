/*
 * rollback_loss.h
 *		What would be lost when a backup is restored.
 */
#ifndef UPGRADE_ROLLBACK_LOSS_H
#define UPGRADE_ROLLBACK_LOSS_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

extern TimestampTz required_since(FunctionCallInfo fcinfo);

#endif
