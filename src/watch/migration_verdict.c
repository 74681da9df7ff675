/*
 * migration_verdict.c
 *		What to make of a migrating session: verdict, evidence, and what to do.
 *
 * While a session works, or may work, nothing here says to end it.
 */
#include "migration_verdict.h"

#include "catalog/pg_collation.h"
#include "utils/builtins.h"

#include "util/query.h"

/* A client that does things by itself, row by row, is between two statements for less than this. */
#define IDLE_SECONDS 5
/* Between two transactions it loads all providers, which takes some seconds. */
#define CLIENT_SECONDS 30
/* A working process uses a hundredth of a second, or reads and writes something, in this time. */
#define QUIET_SECONDS 3
/* After this long it is worth asking whether the client is still there. */
#define CLIENT_GONE_SECONDS 300

/* Who is at the end of the chain of those that $1 waits for, $2 being the first. */
static const char *const root_sql =
	"WITH root AS (SELECT root_blocker, cancel_sql FROM airflow_pin.locks()"
	"  WHERE pid = $1 AND depth > 0 LIMIT 1),"
	" found AS (SELECT coalesce(r.root_blocker, $2) AS pid, r.cancel_sql"
	"  FROM (SELECT) one LEFT JOIN root r ON true)"
	" SELECT f.pid, f.cancel_sql, a.state,"
	"  coalesce(nullif(a.application_name, ''), a.usename, a.backend_type, 'not visible'),"
	"  coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)::bigint,"
	"  substr(regexp_replace(a.query, '[[:space:]]+', ' ', 'g'), 1, 100)"
	" FROM found f LEFT JOIN pg_stat_activity a USING (pid)";

/* "00:01:30" */
const char *
duration_text(double seconds)
{
	int64 whole = (int64) (seconds < 0 ? 0 : seconds + 0.5);

	return psprintf("%02d:%02d:%02d", (int) (whole / 3600), (int) (whole / 60 % 60),
					(int) (whole % 60));
}

/* Time of day in the session's time zone, as "14:05:10". */
static const char *
time_text(TimestampTz time)
{
	return text_to_cstring(DatumGetTextPP(
		DirectFunctionCall2Coll(timestamptz_to_char, DEFAULT_COLLATION_OID,
								TimestampTzGetDatum(time), CStringGetTextDatum("HH24:MI:SS"))));
}

static bool
is_text(const char *text, const char *other)
{
	return text != NULL && strcmp(text, other) == 0;
}

static double
seconds_since(const MigrationStatus *status, TimestampTz time)
{
	return TIMESTAMP_IS_NOBEGIN(time) ? 0 : seconds_between(time, status->now);
}

/* For how long the session has been seen to do nothing. */
static double
quiet_seconds(const MigrationStatus *status)
{
	return seconds_since(status, status->watched->busy_at);
}

static bool
is_idle_in_transaction(const MigratingSession *session)
{
	return session->state != NULL && strncmp(session->state, "idle in", strlen("idle in")) == 0;
}

/*
 * Does it hold the advisory lock and nothing else? Airflow has the lock in a transaction, from its
 * first to its last moment: outside of one the session was left in a pool, or by a killed client.
 */
static bool
is_forgotten(const MigratingSession *session)
{
	return session->holds_lock && is_text(session->state, "idle");
}

static Verdict
find_verdict(const MigrationStatus *status)
{
	const MigratingSession *session = status->session;
	double unchanged = seconds_since(status, session->state_change);

	if (session->lock != NULL || is_text(session->wait_event, "SyncRep"))
		return VERDICT_BLOCKED;
	if (is_forgotten(session))
		return VERDICT_STALLED;
	if (session->holds_lock || is_text(session->state, "idle"))
		return unchanged > CLIENT_SECONDS ? VERDICT_STALLED : VERDICT_WORKING;
	if (is_idle_in_transaction(session))
		return unchanged > IDLE_SECONDS ? VERDICT_IDLE : VERDICT_WORKING;
	if (is_text(session->state, "active") && quiet_seconds(status) >= QUIET_SECONDS)
		return is_text(session->wait_event_type, "IO") ? VERDICT_BLOCKED : VERDICT_STALLED;
	return VERDICT_WORKING;
}

/* Begin another clause of the evidence. */
void
next_clause(MigrationStatus *status)
{
	if (status->evidence.len > 0)
		appendStringInfoString(&status->evidence, "; ");
}

static bool
is_migrating(int pid, List *sessions)
{
	ListCell *cell;

	foreach (cell, sessions)
	{
		const MigratingSession *session = lfirst(cell);

		if (session->pid == pid)
			return !is_forgotten(session);
	}
	return false;
}

/* The root blocker is a session, which the row says more about. */
static void
tell_blocked_by_session(MigrationStatus *status, List *sessions)
{
	const char *state = row_text(0, 3);
	bool idle = state != NULL && strncmp(state, "idle", strlen("idle")) == 0;

	appendStringInfo(&status->evidence, " behind pid %d (%s)", status->root_blocker,
					 row_text(0, 4));
	if (state != NULL)
		appendStringInfo(&status->evidence, ", %s for %s: %s", state,
						 duration_text(row_bigint(0, 5)), row_text(0, 6));
	if (status->session->waits_for_migration || is_migrating(status->root_blocker, sessions))
	{
		status->end_sql = NULL;
		appendStringInfo(&status->next_action, "Wait for session %d, which migrates itself.",
						 status->root_blocker);
		return;
	}
	if (status->end_sql == NULL)
		status->end_sql = psprintf("SELECT pg_%s_backend(%d)", idle ? "terminate" : "cancel",
								   status->root_blocker);
	appendStringInfo(&status->next_action, "Session %d is in the way%s: let it finish, or %s: %s",
					 status->root_blocker, idle ? " and does nothing" : "",
					 idle ? "end it" : "cancel its query", status->end_sql);
}

static void
tell_blocked_by_lock(MigrationStatus *status, List *sessions)
{
	const MigratingSession *session = status->session;
	QueryArgs args = {0};

	appendStringInfo(&status->evidence, "waits for %s",
					 session->waits_for_migration ? "the advisory lock of a migration"
												  : session->lock);
	if (!TIMESTAMP_IS_NOBEGIN(session->waits_since))
		appendStringInfo(&status->evidence, " since %s (%s)", time_text(session->waits_since),
						 duration_text(seconds_since(status, session->waits_since)));
	if (session->first_blocker < 0)
	{
		appendStringInfoString(&status->next_action,
							   "Wait: nobody was in the way any more when looked for.");
		return;
	}
	arg_int(&args, session->pid);
	arg_int(&args, session->first_blocker);
	query_run(root_sql, &args, true, 1);
	status->root_blocker = row_int(0, 1);
	status->end_sql = row_text(0, 2);
	if (status->root_blocker != 0)
		tell_blocked_by_session(status, sessions);
	else
	{
		appendStringInfoString(&status->evidence, " behind a prepared transaction");
		appendStringInfo(&status->next_action,
						 "A prepared transaction is in the way: commit it, or: %s",
						 status->end_sql ? status->end_sql : "see pg_prepared_xacts");
	}
}

static void
tell_blocked(MigrationStatus *status, List *sessions)
{
	const MigratingSession *session = status->session;

	if (session->lock != NULL)
		tell_blocked_by_lock(status, sessions);
	else if (is_text(session->wait_event, "SyncRep"))
	{
		appendStringInfoString(&status->evidence, "its commit waits for a synchronous standby");
		appendStringInfoString(
			&status->next_action,
			"Look at the synchronous standby (pg_stat_replication, synchronous_standby_names).");
	}
	else
	{
		appendStringInfo(&status->evidence,
						 "waits for I/O (%s), and has read and written nothing for %s",
						 session->wait_event, duration_text(quiet_seconds(status)));
		appendStringInfo(&status->next_action, "Look at the server's storage and its kernel log.");
	}
}

static void
tell_idle(MigrationStatus *status)
{
	const MigratingSession *session = status->session;
	double idle = seconds_since(status, session->state_change);

	appendStringInfo(&status->evidence, "%s for %s, its client sends nothing", session->state,
					 duration_text(idle));
	if (strstr(session->state, "aborted") != NULL)
		appendStringInfoString(&status->evidence, " since its last statement failed");
	appendStringInfoString(&status->next_action,
						   "Look at the migrating client, its process and its log: the database "
						   "waits for its next statement.");
	if (idle < CLIENT_GONE_SECONDS)
		return;
	status->end_sql = psprintf("SELECT pg_terminate_backend(%d)", session->pid);
	appendStringInfo(
		&status->next_action,
		" If the client is gone, end its session; the revision is then rolled back: %s",
		status->end_sql);
}

/* The session only holds the advisory lock. */
static void
tell_lock_holder(MigrationStatus *status)
{
	const MigratingSession *session = status->session;
	double idle = seconds_since(status, session->state_change);

	appendStringInfo(&status->evidence, "holds Airflow's advisory lock 1, %s for %s",
					 session->state, duration_text(idle));
	if (is_forgotten(session))
		appendStringInfoString(&status->evidence,
							   ", and is in no transaction: it does not migrate");
	else
		appendStringInfoString(&status->evidence, ", and its client has no other session");
	if (!is_forgotten(session) && idle < CLIENT_GONE_SECONDS)
	{
		appendStringInfoString(&status->next_action,
							   "Look at the migrating client, its process and its log.");
		return;
	}
	status->end_sql = psprintf("SELECT pg_terminate_backend(%d)", session->pid);
	appendStringInfo(&status->next_action, LOCK_NOT_AVAILABLE " %s: %s",
					 is_forgotten(session) ? "End it" : "If its client is gone, end it",
					 status->end_sql);
}

static void
tell_stalled(MigrationStatus *status)
{
	const MigratingSession *session = status->session;

	if (session->holds_lock)
	{
		tell_lock_holder(status);
		return;
	}
	if (!is_text(session->state, "active"))
	{
		appendStringInfo(&status->evidence, "the client has sent nothing for %s",
						 duration_text(seconds_since(status, session->state_change)));
		appendStringInfoString(&status->next_action,
							   "Look at the migrating client, its process and its log.");
		return;
	}
	appendStringInfo(&status->evidence, "no CPU time and no I/O for %s, process state %c",
					 duration_text(quiet_seconds(status)), status->watched->counters.state);
	if (status->watched->counters.state == 'T')
		appendStringInfo(&status->next_action,
						 "Somebody has stopped the process: let it go on with: kill -CONT %d",
						 session->pid);
	else
		appendStringInfo(&status->next_action,
						 "Look at process %d on the server, which waits for %s.", session->pid,
						 session->wait_event ? session->wait_event : "something");
}

/* The time that a working session may still take. */
static void
tell_working(MigrationStatus *status)
{
	const OperationProgress *progress = &status->progress;
	const CurrentRevision *revision = &status->revision;

	if (progress->seconds_left >= 0)
		appendStringInfo(&status->next_action, "Wait: this step ends about %s.",
						 time_text(status->now + (int64) (progress->seconds_left * USECS_PER_SEC)));
	else
		appendStringInfoString(&status->next_action, "Wait.");
	if (revision->revisions_after > 0)
		appendStringInfo(&status->next_action, " Then %d more revision%s, for %s to %s.",
						 revision->revisions_after, revision->revisions_after > 1 ? "s" : "",
						 duration_text(revision->low_after), duration_text(revision->high_after));
}

/* What the session is doing: by the plan, else by its statement. */
static void
tell_statement(MigrationStatus *status)
{
	const CurrentRevision *revision = &status->revision;
	const LeftStep *step = revision->step;

	if (statement_name(&status->statement)[0] == '\0' || status->session->holds_lock ||
		is_text(status->session->state, "idle"))
		return;
	next_clause(status);
	if (step != NULL)
	{
		appendStringInfo(&status->evidence, "step %d of %d: %s %s", revision->step_number,
						 revision->steps, step->relation, step->operation);
		if (step->high >= 1)
			appendStringInfo(&status->evidence, " (planned for %s to %s)", duration_text(step->low),
							 duration_text(step->high));
	}
	else
		appendStringInfo(&status->evidence, "statement: %s%s%s", statement_name(&status->statement),
						 status->statement.relation[0] ? " " : "", status->statement.relation);
}

/* What it has used since the previous call shows that it works. */
static void
tell_activity(MigrationStatus *status)
{
	const WatchedSession *watched = status->watched;

	if (status->verdict != VERDICT_WORKING || watched->cpu_seconds < 0)
		return;
	next_clause(status);
	appendStringInfo(&status->evidence, "in the last %.1f s: %.1f s of CPU time, %.1f MB of I/O",
					 status->watched_seconds, watched->cpu_seconds, watched->io_bytes / 1e6);
}

/*
 * Where there is nothing else to tell: a session that is seen for the first time, between
 * statements.
 */
static void
tell_state(MigrationStatus *status)
{
	const MigratingSession *session = status->session;

	if (status->evidence.len > 0 || session->state == NULL)
		return;
	if (session->holds_lock)
		appendStringInfoString(&status->evidence, "holds Airflow's advisory lock 1, ");
	appendStringInfo(&status->evidence, "%s for %s", session->state,
					 duration_text(seconds_since(status, session->state_change)));
}

/* What looks like a migration may be a downgrade. */
static void
tell_direction(MigrationStatus *status)
{
	const CurrentRevision *revision = &status->revision;
	bool fab = is_text(revision->component, "fab");

	if ((revision->not_of == NULL && revision->back_from == NULL) || is_forgotten(status->session))
		return;
	next_clause(status);
	if (revision->not_of != NULL)
		appendStringInfo(&status->evidence,
						 "the table is not one of revision %s, which would be the next",
						 revision->not_of);
	else
		appendStringInfo(&status->evidence,
						 "the %s revision went back from %s to %s: \"airflow %s downgrade\", or a "
						 "migration that has only just begun",
						 fab ? "FAB" : "core", revision->back_from,
						 fab ? status->left->fab_revision : status->left->core_revision,
						 fab ? "fab-db" : "db");
}

/* What a reader has to know to believe the rest. */
static void
tell_limits(MigrationStatus *status)
{
	const MigratingSession *session = status->session;

	if (session->lock_holder == 0 && !session->holds_lock && !session->waits_for_migration &&
		!session->is_startup)
	{
		next_clause(status);
		appendStringInfoString(
			&status->evidence,
			"no session of this client holds Airflow's advisory lock 1: FAB alone, "
			"other DDL, or a client that is gone");
	}
	if (session->state == NULL && !session->is_startup)
	{
		next_clause(status);
		appendStringInfoString(&status->evidence,
							   "state and query are visible to members of pg_monitor only");
	}
	if (!status->watched->counters.visible)
	{
		next_clause(status);
		appendStringInfoString(&status->evidence, "CPU and I/O of its process cannot be seen here");
	}
	if (status->left->problem != NULL)
	{
		next_clause(status);
		appendStringInfo(&status->evidence, "revision not known: %s", status->left->problem);
	}
}

/* Fill in verdict, evidence and next_action; "sessions" are all that migrate. */
void
conclude(MigrationStatus *status, List *sessions)
{
	initStringInfo(&status->evidence);
	initStringInfo(&status->next_action);
	status->root_blocker = -1;
	status->verdict = find_verdict(status);
	if (status->session->is_startup)
		appendStringInfoString(
			&status->evidence,
			"the primary holds locks as a migration takes them, which are replayed");
	if (status->verdict != VERDICT_WORKING)
		next_clause(status);
	switch (status->verdict)
	{
		case VERDICT_BLOCKED:
			tell_blocked(status, sessions);
			break;
		case VERDICT_IDLE:
			tell_idle(status);
			break;
		case VERDICT_STALLED:
			tell_stalled(status);
			break;
		case VERDICT_WORKING:
		case VERDICT_NOT_RUNNING:
			tell_working(status);
			break;
	}
	tell_statement(status);
	tell_activity(status);
	tell_state(status);
	tell_direction(status);
	tell_limits(status);
}
