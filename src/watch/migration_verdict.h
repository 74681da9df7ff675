/*
 * migration_verdict.h
 *		What to make of a migrating session.
 */
#ifndef WATCH_MIGRATION_VERDICT_H
#define WATCH_MIGRATION_VERDICT_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "watch/backend_activity.h"
#include "watch/migration_left.h"
#include "watch/migration_sessions.h"
#include "watch/operation_progress.h"
#include "watch/statement.h"

typedef enum Verdict
{
	VERDICT_NOT_RUNNING,
	VERDICT_WORKING,
	VERDICT_BLOCKED,
	VERDICT_IDLE,
	VERDICT_STALLED
} Verdict;

/* A row of the result: what is known of a session, and what is concluded from it. */
typedef struct MigrationStatus
{
	const MigratingSession *session; /* NULL: nobody migrates */
	const MigrationLeft *left;
	TimestampTz now;
	Statement statement;
	CurrentRevision revision;
	OperationProgress progress;
	const WatchedSession *watched;
	double watched_seconds; /* since the previous call; 0: there was none */

	Verdict verdict;
	StringInfoData evidence;
	StringInfoData next_action;
	int root_blocker;	 /* 0: a prepared transaction; -1: none */
	const char *end_sql; /* that ends it, or the session itself where that is idle */
} MigrationStatus;

#define LOCK_NOT_AVAILABLE                                                                         \
	"As long as that session lives, \"airflow db migrate\" ends with LockNotAvailable."

extern const char *duration_text(double seconds);
extern void next_clause(MigrationStatus *status);
extern void conclude(MigrationStatus *status, List *sessions);
extern void conclude_not_running(MigrationStatus *status, const char *schema);

#endif
