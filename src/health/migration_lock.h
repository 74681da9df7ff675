/*
 * migration_lock.h
 *		Who holds the advisory lock of a migration?
 */
#ifndef HEALTH_MIGRATION_LOCK_H
#define HEALTH_MIGRATION_LOCK_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef struct LockHolder
{
	const char *name;	 /* "pid 42 (airflow)" or "PREPARE TRANSACTION 'x'" */
	const char *state;	 /* "idle for 00:05:10" */
	bool forgotten;		 /* it is sure not to migrate */
	const char *end_sql; /* without a semicolon; NULL while it does something */
} LockHolder;

extern List *migration_lock_holders(void);

#endif
