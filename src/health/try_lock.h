/*
 * try_lock.h
 *		Lock a table for reading if that is possible at once.
 */
#ifndef HEALTH_TRY_LOCK_H
#define HEALTH_TRY_LOCK_H

#include "postgres.h"

extern bool try_lock_for_reading(Oid relation);
extern char *reading_blockers(Oid relation);

#endif
