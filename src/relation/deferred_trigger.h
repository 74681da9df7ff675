/*
 * deferred_trigger.h
 *		A trigger of somebody else's that keeps the health functions from writing to a table.
 */
#ifndef RELATION_DEFERRED_TRIGGER_H
#define RELATION_DEFERRED_TRIGGER_H

#include "postgres.h"

extern void require_no_deferred_trigger(Oid relation);

#endif
