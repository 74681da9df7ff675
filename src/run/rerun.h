/*
 * rerun.h
 *		Hold re-runs of existing runs, for pins with reruns => 'pinned'.
 */
#ifndef RUN_RERUN_H
#define RUN_RERUN_H

#include "postgres.h"

#include "access/htup.h"
#include "commands/trigger.h"

extern HeapTuple hold_rerun(TriggerData *trigger);

#endif
