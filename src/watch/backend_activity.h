/*
 * backend_activity.h
 *		Whether a session does anything: its processes' counters, and what the previous call saw.
 */
#ifndef WATCH_BACKEND_ACTIVITY_H
#define WATCH_BACKEND_ACTIVITY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct ProcessCounters
{
	uint64 cpu_ticks;
	uint64 io_bytes; /* read and written by system calls */
} ProcessCounters;

/* Of a session. */
typedef struct BackendCounters
{
	bool visible;		 /* false: no Linux, or not permitted */
	char state;			 /* of its process: R runs, S sleeps, D waits for a disk, T is stopped */
	ProcessCounters own; /* of its process */
	ProcessCounters all; /* with those of its parallel workers */
} BackendCounters;

/* An operation whose progress is measured. */
typedef struct Operation
{
	TransactionId xid;
	Oid relation;
	uint32 what; /* hash of what is done to the relation */
} Operation;

/* What previous calls in this session saw of a session. */
typedef struct WatchedSession
{
	int pid;
	TimestampTz backend_start;
	TimestampTz seen_at; /* by the last call; 0: by none */
	BackendCounters counters;
	TimestampTz busy_at; /* when the counters had last changed */
	double cpu_seconds;	 /* used between the last two calls; negative: not known */
	int64 io_bytes;		 /* the same */
	double cpu_total;	 /* seconds used since the first call */

	Operation operation;
	TimestampTz begun_at; /* when the operation was first seen */
	int64 begun_bytes;	  /* what it had done by then */
	double begun_cpu;	  /* cpu_total by then, and by indexing_at */
	double indexing_cpu;
	double indexing_share;	 /* of a CPU that was expected by then for the indexes */
	int64 done_bytes;		 /* by the last call */
	TimestampTz indexing_at; /* when a rewrite was first seen to build indexes; 0: not yet */

	TransactionId base_xid; /* whose table had that size when it began */
	Oid base_relation;
	int64 base_bytes;
} WatchedSession;

extern WatchedSession *watched_session(int pid, TimestampTz backend_start);
extern void watch_counters(WatchedSession *watched, List *pids, TimestampTz now);
extern double seconds_between(TimestampTz from, TimestampTz to);

#endif
