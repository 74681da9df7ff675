/*
 * try_lock.h
 *		Lock a table for reading if that is possible at once.
 */
#ifndef RELATION_TRY_LOCK_H
#define RELATION_TRY_LOCK_H

#include "postgres.h"

/* Why a table cannot be read now. */
typedef struct ReadObstacle
{
	const char *what; /* to follow the table's name: "is locked by pid 7 (migration)" */
	const char *hint;
} ReadObstacle;

extern bool try_lock_for_reading(Oid relation);
extern char *reading_blockers(Oid relation);
extern bool lock_to_read(Oid relation, ReadObstacle *obstacle);

#endif
