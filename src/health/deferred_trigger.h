/*
 * deferred_trigger.h
 *		A trigger of somebody else's that keeps the health functions from writing to a table.
 */
#ifndef DEFERRED_TRIGGER_H
#define DEFERRED_TRIGGER_H

#include "postgres.h"

extern void require_no_deferred_trigger(Oid relation);

#endif
