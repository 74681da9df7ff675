/*
 * migration_status.c
 *		migration_status(): is the migration working, or stuck, on what, and for how long yet?
 *
 * Takes no lock on a table of Airflow but for the version tables, without waiting: sessions come
 * from pg_stat_activity and pg_locks, progress from the catalogs and the file system.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "util/interval.h"
#include "util/owner_scope.h"
#include "util/result_rows.h"
#include "watch/backend_activity.h"
#include "watch/migration_left.h"
#include "watch/migration_sessions.h"
#include "watch/migration_verdict.h"
#include "watch/operation_progress.h"
#include "watch/statement.h"

#define STATUS_COLUMNS 22

static const char *const verdict_names[] = {
	[VERDICT_NOT_RUNNING] = "not running", [VERDICT_WORKING] = "working",
	[VERDICT_BLOCKED] = "blocked",		   [VERDICT_IDLE] = "idle in transaction",
	[VERDICT_STALLED] = "stalled",
};

PG_FUNCTION_INFO_V1(airflow_pin_migration_status);

/* Nothing to tell is NULL. */
static void
put_told(ResultRow *row, const char *text)
{
	row_put_text(row, text && text[0] != '\0' ? text : NULL);
}

/* Negative: not known. */
static void
put_bytes(ResultRow *row, int64 bytes)
{
	row_put(row, Int64GetDatum(bytes), bytes < 0);
}

static void
put_numeric(ResultRow *row, double number, int scale)
{
	char *text = psprintf("%.*f", scale, number);

	row_put(row,
			DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
								Int32GetDatum(-1)),
			number < 0);
}

static void
put_seconds(ResultRow *row, double seconds)
{
	row_put(row, PointerGetDatum(interval_of_seconds(Max(seconds, 0))), seconds < 0);
}

/* In tenths, which are not rounded up: 100 is the end. */
static double
percent(const OperationProgress *progress)
{
	if (progress->done_bytes < 0 || progress->total_bytes <= 0)
		return -1;
	return floor(Min((double) progress->done_bytes / progress->total_bytes, 1) * 1000) / 10;
}

static bool
is_between_transactions(const MigratingSession *session)
{
	return session->state != NULL && strcmp(session->state, "idle") == 0;
}

static const char *
phase_name(const MigrationStatus *status)
{
	const MigratingSession *session = status->session;

	if (session->is_startup)
		return "replaying";
	if (session->waits_for_migration)
		return "waiting for another migration";
	if (session->holds_lock && is_between_transactions(session))
		return "holding the advisory lock only";
	if (session->holds_lock)
		return "starting or finishing";
	if (is_between_transactions(session))
		return "between transactions";
	if (status->progress.phase != NULL)
		return status->progress.phase;
	return status->revision.step ? status->revision.step->operation
								 : statement_name(&status->statement);
}

/* The table that the session is at, or waits for. */
static const char *
relation_name(const MigrationStatus *status)
{
	const MigratingSession *session = status->session;

	if (session->lock_table != NULL)
		return session->lock_table;
	if (OidIsValid(status->progress.relation))
		return get_rel_name(status->progress.relation);
	if (session->is_startup && session->locked != NIL)
		return get_rel_name(linitial_oid(session->locked));
	if (TIMESTAMP_IS_NOBEGIN(session->xact_start) || session->holds_lock)
		return NULL;
	return status->statement.relation;
}

static void
put_session(ResultRow *row, const MigrationStatus *status)
{
	const MigratingSession *session = status->session;
	const OperationProgress *progress = &status->progress;
	bool in_revision = !TIMESTAMP_IS_NOBEGIN(session->xact_start) && !session->holds_lock &&
					   !session->waits_for_migration;

	row_put(row, Int32GetDatum(session->pid), false);
	put_told(row, phase_name(status));
	put_told(row, in_revision ? status->revision.component : NULL);
	put_told(row, in_revision ? status->revision.revision : NULL);
	put_told(row, relation_name(status));
	put_bytes(row, progress->done_bytes);
	put_bytes(row, progress->total_bytes);
	put_numeric(row, percent(progress), 1);
	put_numeric(row, progress->bytes_per_second, 0);
	put_seconds(row, progress->seconds_left);
	put_seconds(row, TIMESTAMP_IS_NOBEGIN(session->xact_start)
						 ? -1
						 : Max(seconds_between(session->xact_start, status->now), 0));
	put_told(row, session->wait_event_type);
	put_told(row, session->wait_event);
	row_put(row, session->blocked_by, false);
}

static void
emit_status(FunctionCallInfo fcinfo, MigrationStatus *status)
{
	ResultRow row = {0};
	double low;
	double high;
	int count = revisions_left(status->left, &low, &high);
	bool known = status->left->problem == NULL && status->left->core_revision != NULL &&
				 status->revision.back_from == NULL;

	put_told(&row, verdict_names[status->verdict]);
	if (status->session != NULL)
		put_session(&row, status);
	else
		while (row.count < 15)
			row_put(&row, (Datum) 0, true);
	put_told(&row, status->evidence.data);
	put_told(&row, status->next_action.data);
	row_put(&row, Int32GetDatum(status->root_blocker), status->root_blocker < 0);
	put_told(&row, status->end_sql);
	row_put(&row, Int32GetDatum(count), !known);
	put_seconds(&row, known ? low : -1);
	put_seconds(&row, known ? high : -1);
	Assert(row.count == STATUS_COLUMNS);
	result_row(fcinfo, row.values, row.nulls);
}

/* Whose revision a statement on the table belongs to; NULL: of whichever is next. */
static const char *
component_of(const MigrationLeft *left, const char *relation)
{
	const LeftStep *first = left->steps ? linitial(left->steps) : NULL;
	ListCell *cell;

	if (first == NULL || strncmp(relation, "ab_", strlen("ab_")) != 0)
		return NULL;
	foreach (cell, left->steps)
	{
		const LeftStep *step = lfirst(cell);

		if (strcmp(step->revision, first->revision) != 0)
			return "fab";
		if (step->relation != NULL && strcmp(step->relation, relation) == 0)
			return NULL;
	}
	return NULL;
}

static void
look_at_session(MigrationStatus *status, const char *schema)
{
	const MigratingSession *session = status->session;
	WatchedSession *watched = watched_session(session->pid, session->backend_start);

	watch_counters(watched, session->pids, status->now);
	/* Between two transactions the last statement is that of the previous one. */
	statement_read(is_between_transactions(session) ? NULL : session->query, &status->statement);
	current_revision(status->left, component_of(status->left, status->statement.relation),
					 &status->statement, &status->revision);
	operation_progress(session, &status->statement, &status->revision,
					   get_namespace_oid(schema, true), watched, status->now, &status->progress);
	status->watched = watched;
	status->watched_seconds = watched->seen_at ? seconds_between(watched->seen_at, status->now) : 0;
	watched->seen_at = status->now;
}

/* Who owns Airflow's tables, and so may migrate them. */
static Oid
owner_of_tables(const char *schema)
{
	Oid relation = schema ? airflow_relation_oid(schema, "alembic_version") : InvalidOid;

	return OidIsValid(relation) ? relation_owner(relation) : InvalidOid;
}

/*
 * migration_status()
 */
Datum
airflow_pin_migration_status(PG_FUNCTION_ARGS)
{
	static const MigrationLeft nothing = {0};
	MigrationStatus status = {0};
	const char *schema = schema_or_none();
	List *sessions;
	ListCell *cell;

	result_rows_begin(fcinfo);
	pgstat_clear_snapshot();
	status.left = schema ? migration_left(schema) : &nothing;
	SPI_connect();
	sessions =
		migrating_sessions(schema ? airflow_relations(schema) : NIL, owner_of_tables(schema));
	foreach (cell, sessions)
	{
		MigrationStatus one = status;

		one.session = lfirst(cell);
		one.now = GetCurrentTimestamp();
		look_at_session(&one, schema);
		conclude(&one, sessions);
		emit_status(fcinfo, &one);
	}
	if (sessions == NIL)
	{
		conclude_not_running(&status, schema);
		emit_status(fcinfo, &status);
	}
	SPI_finish();
	return (Datum) 0;
}
