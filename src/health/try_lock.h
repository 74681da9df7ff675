/*
 * try_lock.h
 *		Lock a table for reading if that is possible at once.
 */
#ifndef HEALTH_TRY_LOCK_H
#define HEALTH_TRY_LOCK_H

#include "postgres.h"

#include "storage/lockdefs.h"

extern bool try_lock_for_reading(Oid relation);
extern char *reading_blockers(Oid relation);
extern void raise_locked(Oid relation, LOCKMODE wanted, const char *schema, const char *table,
						 const char *hint);

#endif
