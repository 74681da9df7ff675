/*
 * operation_progress.h
 *		How far a session is with what it does to a table.
 */
#ifndef HEALTH_OPERATION_PROGRESS_H
#define HEALTH_OPERATION_PROGRESS_H

#include "postgres.h"

#include "health/backend_activity.h"
#include "health/migration_left.h"
#include "health/migration_sessions.h"

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
