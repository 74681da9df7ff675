/*
 * lock_blockers.h
 *		Who keeps us from a lock on a table.
 */
#ifndef LOCK_BLOCKERS_H
#define LOCK_BLOCKERS_H

#include "postgres.h"

#include "storage/lockdefs.h"

extern char *lock_blockers(Oid relation, LOCKMODE wanted);
extern void raise_locked(Oid relation, LOCKMODE wanted, const char *schema, const char *table,
						 const char *hint);

#endif
