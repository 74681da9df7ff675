/*
 * rollback_loss.c
 *		lost_on_rollback(): what would be lost when a backup is restored.
 *
 * What is newer than the backup is told by Airflow's own timestamps. Task instances and XComs are
 * looked for in runs that have changed since, by index: the scheduler touches dag_run.updated_at
 * whenever one of a run's tasks changes. Variables and connections have no timestamps, so changes
 * of them are those that the audit log knows.
 */
#include "rollback_loss.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/try_lock.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

PG_FUNCTION_INFO_V1(airflow_pin_lost_on_rollback);

/*
 * One query a kind, by DAG; %1$s stands for the table and %2$s for another one, $1 for the time of
 * the backup.
 */
typedef struct LossSource
{
	const char *kind;
	const char *table;
	const char *other;	/* or NULL */
	const char *column; /* of the table; must be there */
	const char *sql;
} LossSource;

#define BY_DAG(dag, time, from)                                                                    \
	"SELECT " dag ", count(*), min(" time "), max(" time ") FROM " from " GROUP BY 1 ORDER BY 1"

/* Of what belongs to no DAG. */
#define IN_ALL(time, from)                                                                         \
	"SELECT NULL::text, count(*), min(" time "), max(" time ") FROM " from " HAVING count(*) > 0"

/* The audit log's events are "post_variable", "variable.create", "cli_connections_add" and the
 * like. */
#define AUDITED(what) IN_ALL("dttm", "%1$s WHERE dttm >= $1 AND event LIKE '%%" what "%%'")

static const LossSource sources[] = {
	{"dag_run", "dag_run", NULL, "updated_at",
	 BY_DAG("dag_id::text", "updated_at", "%1$s WHERE updated_at >= $1")},
	{"task_instance", "task_instance", "dag_run", "updated_at",
	 BY_DAG("t.dag_id::text", "t.updated_at",
			"%2$s r JOIN %1$s t USING (dag_id, run_id)"
			" WHERE r.updated_at >= $1 AND t.updated_at >= $1")},
	{"xcom", "xcom", "dag_run", "timestamp",
	 BY_DAG("x.dag_id::text", "x.timestamp",
			"%2$s r JOIN %1$s x ON x.dag_run_id = r.id"
			" WHERE r.updated_at >= $1 AND x.timestamp >= $1")},
	{"dag_version", "dag_version", NULL, "created_at",
	 BY_DAG("dag_id::text", "created_at", "%1$s WHERE created_at >= $1")},
	{"backfill", "backfill", NULL, "created_at",
	 BY_DAG("dag_id::text", "created_at", "%1$s WHERE created_at >= $1")},
	{"variable", "log", NULL, "dttm", AUDITED("variable")},
	{"connection", "log", NULL, "dttm", AUDITED("connection")},
	{"user", "ab_user", NULL, "changed_on",
	 IN_ALL("changed_on AT TIME ZONE 'UTC'", "%1$s WHERE changed_on AT TIME ZONE 'UTC' >= $1")},
	{"log", "log", NULL, "dttm", BY_DAG("dag_id::text", "dttm", "%1$s WHERE dttm >= $1")},
};

/* The time of the backup, argument of both functions. */
TimestampTz
required_since(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("since must not be null"),
						errhint("Give the time at which the backup was taken.")));
	if (PG_GETARG_TIMESTAMPTZ(0) > GetCurrentTimestamp())
		ereport(WARNING, (errmsg("since is in the future, where nothing has happened yet"),
						  errhint("Give the time at which the backup was taken.")));
	return PG_GETARG_TIMESTAMPTZ(0);
}

static void
emit_loss(FunctionCallInfo fcinfo, const char *kind, uint64 row)
{
	Datum values[5];
	bool nulls[5] = {0};

	nulls[1] = row_is_null(row, 1);
	values[0] = CStringGetTextDatum(kind);
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(row_text(row, 1));
	values[2] = Int64GetDatum(row_bigint(row, 2));
	values[3] = TimestampTzGetDatum(row_timestamp(row, 3));
	values[4] = TimestampTzGetDatum(row_timestamp(row, 4));
	result_row(fcinfo, values, nulls);
}

/* Lock a table for reading; says in a NOTICE why not. */
static bool
lock_or_notice(const char *table, Oid relation)
{
	ReadObstacle obstacle;

	if (lock_to_read(relation, &obstacle))
		return true;
	ereport(NOTICE, (errmsg("table %s %s", table, obstacle.what), errhint("%s", obstacle.hint)));
	return false;
}

/* What cannot be looked at: a row without a count. */
static void
emit_locked(FunctionCallInfo fcinfo, const char *kind)
{
	Datum values[5] = {CStringGetTextDatum(kind)};
	bool nulls[5] = {false, true, true, true, true};

	result_row(fcinfo, values, nulls);
}

typedef struct LossCall
{
	FunctionCallInfo fcinfo;
	const LossSource *source;
	const char *schema;
	TimestampTz since;
} LossCall;

/* GuardedCall */
static void
read_loss(void *arg)
{
	const LossCall *call = arg;
	FunctionCallInfo fcinfo = call->fcinfo;
	const LossSource *source = call->source;
	const char *schema = call->schema;
	const char *other_table = source->other ? source->other : source->table;
	Oid relation = airflow_relation_oid(schema, source->table);
	Oid other = airflow_relation_oid(schema, other_table);
	QueryArgs args = {0};
	OwnerScope scope;

	if (!OidIsValid(relation) || !OidIsValid(other) ||
		get_attnum(relation, source->column) == InvalidAttrNumber)
		return;
	if (!lock_or_notice(source->table, relation) || !lock_or_notice(other_table, other))
	{
		emit_locked(fcinfo, source->kind);
		return;
	}
	arg_timestamp(&args, call->since);
	owner_scope_enter_foreign(&scope, relation);
	query_run(psprintf(source->sql, quote_qualified_identifier(schema, source->table),
					   quote_qualified_identifier(schema, other_table)),
			  &args, true, 0);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
		emit_loss(fcinfo, source->kind, row);
}

/*
 * lost_on_rollback(since timestamptz)
 */
Datum
airflow_pin_lost_on_rollback(PG_FUNCTION_ARGS)
{
	TimestampTz since = required_since(fcinfo);
	const char *schema;

	result_rows_begin(fcinfo);
	schema = health_schema();
	if (schema == NULL)
		return (Datum) 0;
	SPI_connect();
	for (int i = 0; i < (int) lengthof(sources); i++)
	{
		LossCall call = {fcinfo, &sources[i], schema, since};
		ErrorData *error = guarded_look(read_loss, &call);

		if (error == NULL)
			continue;
		ereport(NOTICE, (errmsg("%s could not be counted: %s", sources[i].kind, error->message)));
		emit_locked(fcinfo, sources[i].kind);
	}
	SPI_finish();
	return (Datum) 0;
}
