/*
 * migration_sessions.h
 *		Which sessions migrate Airflow's database.
 */
#ifndef WATCH_MIGRATION_SESSIONS_H
#define WATCH_MIGRATION_SESSIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* How far the server itself tells of the progress of a command, in pg_stat_progress_*. */
typedef struct ServerProgress
{
	const char *phase; /* NULL: it tells nothing */
	Oid relation;
	bool builds_index;
	int64 blocks_done; /* of the table, while it is read */
	int64 blocks_total;
	int64 tuples_done; /* loaded into an index */
	int64 tuples_total;
} ServerProgress;

/* A session; what is not visible is NULL, 0 or DT_NOBEGIN. */
typedef struct MigratingSession
{
	int pid;
	List *pids;		 /* with those of its parallel workers */
	bool is_startup; /* of a standby: it replays what the primary does */
	bool holds_lock; /* it is there only to hold the advisory lock; others of its client work */
	bool waits_for_migration;
	int lock_holder; /* session of its client that holds the advisory lock; 0: none */
	TransactionId xid;
	const char *state;
	const char *wait_event_type;
	const char *wait_event;
	const char *query;
	TimestampTz backend_start;
	TimestampTz xact_start;
	TimestampTz query_start;
	TimestampTz state_change;
	Datum blocked_by;		/* int4[] */
	int first_blocker;		/* 0: a prepared transaction; -1: it waits for nobody */
	const char *lock;		/* that it waits for: "AccessExclusiveLock on ab_role" */
	const char *lock_table; /* its table, if it is one of Airflow */
	TimestampTz waits_since;
	List *locked; /* OIDs of relations that it holds ACCESS EXCLUSIVE on */
	ServerProgress progress;
} MigratingSession;

extern List *migrating_sessions(List *relations, Oid owner);

#endif
