/*
 * operation_progress.h
 *		How far a session is with what it does to a table.
 */
#ifndef WATCH_OPERATION_PROGRESS_H
#define WATCH_OPERATION_PROGRESS_H

#include "postgres.h"

#include "watch/backend_activity.h"
#include "watch/migration_left.h"
#include "watch/migration_sessions.h"
#include "watch/statement.h"

/* What is not known is NULL, InvalidOid or negative. */
typedef struct OperationProgress
{
	const char *phase;
	Oid relation;
	int64 done_bytes;
	int64 total_bytes;
	double bytes_per_second; /* since the previous call */
	double seconds_left;
} OperationProgress;

extern void operation_progress(const MigratingSession *session, const Statement *statement,
							   const CurrentRevision *current, Oid namespace,
							   WatchedSession *watched, TimestampTz now,
							   OperationProgress *progress);

#endif
