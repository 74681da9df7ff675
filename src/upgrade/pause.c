/*
 * pause.c
 *		pause_all() and resume(): pause every DAG for a migration, and bring them back in waves.
 *
 * What was paused is remembered in paused_dag, under a label. A DAG that somebody has paused or
 * taken away since is left alone. Work on dag is done as its owner; who may do it is who has
 * EXECUTE.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/deferred_trigger.h"
#include "relation/lock_blockers.h"
#include "relation/relation.h"
#include "relation/row_lockers.h"
#include "upgrade/label.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

/* Rows of dag are locked by schedulers and DAG processors, each time for a moment. */
#define ROW_LOCK_TIMEOUT "10s"

#define MAX_NAMED 10

PG_FUNCTION_INFO_V1(airflow_pin_pause_all);
PG_FUNCTION_INFO_V1(airflow_pin_resume);

/* A table of Airflow, locked. Raises an error rather than wait behind a migration. */
static Oid
lock_table(const char *schema, const char *table, LOCKMODE mode)
{
	Oid relation = required_relation(schema, table);

	if (!ConditionalLockRelationOid(relation, mode))
		raise_locked(relation, mode, schema, table,
					 "Try again when the migration, or whatever else holds it, is done. "
					 "Nothing was changed.");
	return relation;
}

/* Table dag, locked to be written to. */
static Oid
lock_dag(const char *schema)
{
	Oid dag = lock_table(schema, "dag", RowExclusiveLock);

	require_no_deferred_trigger(dag);
	return dag;
}

/* A statement that locks rows of a table, and is run as its owner. */
typedef struct RowStatement
{
	Oid table;
	bool foreign; /* the table is Airflow's */
	const char *sql;
	QueryArgs *args;
} RowStatement;

/* GuardedCall */
static void
run_row_statement(void *arg)
{
	RowStatement *statement = arg;
	OwnerScope scope;

	if (statement->foreign)
		owner_scope_enter_foreign(&scope, statement->table);
	else
		owner_scope_enter(&scope, statement->table);
	(void) set_config_option("lock_timeout", ROW_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	query_run(statement->sql, statement->args, false, 0);
	owner_scope_leave(&scope);
}

/* Raises 55P03, naming who is in the way, when a row stays locked. */
static void
query_dag_rows(Oid dag, const char *sql, QueryArgs *args)
{
	call_for_rows(dag, run_row_statement, &(RowStatement){dag, true, sql, args});
}

static void
query_paused_dags(const char *sql, QueryArgs *args)
{
	Oid table = pin_relation("paused_dag");

	call_for_rows(table, run_row_statement, &(RowStatement){table, false, sql, args});
}

/* The first column of the rows of the last query, as a text array. */
static Datum
rows_as_array(void)
{
	Datum *texts = palloc((SPI_processed + 1) * sizeof(Datum));

	for (uint64 row = 0; row < SPI_processed; row++)
		texts[row] = CStringGetTextDatum(row_required_text(row, 1));
	return PointerGetDatum(construct_array(texts, SPI_processed, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
remember(const char *label, const char *reason, Datum dag_ids)
{
	QueryArgs args = {0};

	arg_text(&args, label);
	arg_text(&args, reason);
	arg_datum(&args, TEXTARRAYOID, dag_ids);
	query_paused_dags("INSERT INTO airflow_pin.paused_dag (label, dag_id, reason)"
					  " SELECT $1, d, $2 FROM unnest($3) d ON CONFLICT (label, dag_id) DO UPDATE"
					  " SET reason = excluded.reason, paused_at = excluded.paused_at,"
					  " paused_by = excluded.paused_by, resumed_at = NULL",
					  &args);
}

/* DAGs that were paused under another label come back with that label only. */
static void
notice_other_labels(const char *label)
{
	QueryArgs args = {0};

	arg_text(&args, label);
	query_paused_dags("SELECT string_agg(format('%s under label \"%s\"', p.count, p.label), ', '"
					  "  ORDER BY p.label)"
					  " FROM (SELECT label, count(*) FROM airflow_pin.paused_dag"
					  "  WHERE label <> $1 AND resumed_at IS NULL GROUP BY label) p",
					  &args);
	if (!row_is_null(0, 1))
		ereport(NOTICE, (errmsg("DAGs that were paused before: %s", row_text(0, 1)),
						 errhint("airflow_pin.resume() brings each back by the label that it was "
								 "paused under.")));
}

/*
 * pause_all(label text, reason text)
 */
Datum
airflow_pin_pause_all(PG_FUNCTION_ARGS)
{
	char *label = required_label(fcinfo);
	char *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *schema = airflow_schema();
	Oid dag = lock_dag(schema);
	const char *table = quote_qualified_identifier(schema, "dag");
	TupleDesc description;
	Datum values[3];
	bool nulls[3] = {0};
	int32 paused;

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SPI_connect();
	query_dag_rows(dag,
				   psprintf("UPDATE %s SET is_paused = true WHERE is_paused IS NOT TRUE"
							" RETURNING dag_id::text",
							table),
				   NULL);
	paused = (int32) SPI_processed;
	remember(label, reason, rows_as_array());
	notice_other_labels(label);
	query_dag_rows(dag, psprintf("SELECT count(*)::int FROM %s", table), NULL);
	values[0] = Int32GetDatum(row_int(0, 1));
	values[1] = Int32GetDatum(row_int(0, 1) - paused);
	values[2] = Int32GetDatum(paused);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls)));
}

/* DAGs of the label that are, or are not, resumed. */
static Datum
remembered(const char *label, bool resumed)
{
	QueryArgs args = {0};

	arg_text(&args, label);
	arg_datum(&args, BOOLOID, BoolGetDatum(resumed));
	query_paused_dags("SELECT dag_id FROM airflow_pin.paused_dag WHERE label = $1"
					  " AND (resumed_at IS NOT NULL) = $2 ORDER BY dag_id FOR UPDATE",
					  &args);
	return rows_as_array();
}

static void
require_label(const char *label)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, label);
	owner_scope_enter(&scope, pin_relation("paused_dag"));
	query_run("SELECT FROM airflow_pin.paused_dag WHERE label = $1", &args, false, 1);
	if (SPI_processed == 0)
	{
		query_run("SELECT string_agg(DISTINCT label, ', ') FROM airflow_pin.paused_dag", NULL,
				  false, 1);
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("no DAG was paused under label \"%s\"", label),
						row_is_null(0, 1) ? errdetail("pause_all() has paused nothing yet.")
										  : errdetail("Labels: %s.", row_text(0, 1)),
						errhint("Name the label that pause_all() was given.")));
	}
	owner_scope_leave(&scope);
}

static void
mark_resumed(const char *label, Datum dag_ids)
{
	QueryArgs args = {0};

	arg_text(&args, label);
	arg_datum(&args, TEXTARRAYOID, dag_ids);
	query_paused_dags("UPDATE airflow_pin.paused_dag SET resumed_at = clock_timestamp()"
					  " WHERE label = $1 AND dag_id = ANY ($2) AND resumed_at IS NULL",
					  &args);
}

/* Which DAGs the caller means: $1 the candidates, $2 a tag, $3 a pattern. %s: schema of dag_tag. */
#define WANTED                                                                                     \
	"d.dag_id = ANY ($1) AND ($3 IS NULL OR d.dag_id LIKE $3)"                                     \
	" AND ($2 IS NULL OR EXISTS (SELECT FROM %s.dag_tag t WHERE t.dag_id = d.dag_id"               \
	"  AND t.name = $2))"

typedef struct ResumeCall
{
	const char *label;
	const char *tag;	  /* or NULL */
	const char *dag_like; /* or NULL */
	const char *schema;
	const char *quoted_schema;
	Oid dag;
	QueryArgs args; /* those of WANTED, then the limit */
	Datum paused;	/* the candidates: paused under the label and not resumed yet */
} ResumeCall;

static void
query_dags(ResumeCall *call, const char *sql)
{
	query_dag_rows(call->dag, sql, &call->args);
}

/* Tell of some DAGs that nothing was done about; the rows of the last query. */
static void
notice_left(const char *what)
{
	StringInfoData names;

	if (SPI_processed == 0)
		return;
	initStringInfo(&names);
	for (uint64 row = 0; row < Min(SPI_processed, MAX_NAMED); row++)
		appendStringInfo(&names, "%s\"%s\"", row > 0 ? ", " : "", row_required_text(row, 1));
	if (SPI_processed > MAX_NAMED)
		appendStringInfo(&names, " and " UINT64_FORMAT " more", SPI_processed - MAX_NAMED);
	ereport(NOTICE, (errmsg("%s: %s", what, names.data)));
}

static void
notice_gone(ResumeCall *call)
{
	query_dags(call, psprintf("SELECT g FROM unnest($1) g WHERE ($3 IS NULL OR g LIKE $3)"
							  " AND $2 IS NULL AND NOT EXISTS (SELECT FROM %s.dag d"
							  " WHERE d.dag_id = g) ORDER BY g",
							  call->quoted_schema));
	notice_left("not in Airflow any more, left");
}

/*
 * A condition that no DAG of the label has met, resumed or not, may be a typing error. What there is
 * instead: $1 are all DAGs of the label.
 */
static void
warn_of_nothing_meant(ResumeCall *call)
{
	const char *schema = call->quoted_schema;
	const char *tag = call->tag ? psprintf(" with tag \"%s\"", call->tag) : "";
	const char *like = call->dag_like ? psprintf(" %s a dag_id like \"%s\"",
												 call->tag ? "and" : "with", call->dag_like)
									  : "";
	QueryArgs args = {0};

	if (call->tag == NULL && call->dag_like == NULL)
		return;
	arg_text(&args, call->label);
	query_paused_dags("SELECT dag_id FROM airflow_pin.paused_dag WHERE label = $1", &args);
	call->args.values[0] = rows_as_array();
	query_dags(call,
			   psprintf("SELECT string_agg(DISTINCT '\"' || t.name || '\"', ', ') FROM unnest($1) g"
						" LEFT JOIN %s.dag_tag t ON t.dag_id = g"
						" HAVING NOT EXISTS (SELECT FROM %s.dag d WHERE " WANTED ")",
						schema, schema, schema));
	call->args.values[0] = call->paused;
	if (SPI_processed > 0)
		ereport(WARNING,
				(errmsg("no DAG%s%s was paused under label \"%s\"", tag, like, call->label),
				 row_is_null(0, 1) ? errdetail("The DAGs of the label have no tags.")
								   : errdetail("Tags of the label's DAGs: %s.", row_text(0, 1)),
				 errhint("SELECT dag_id FROM airflow_pin.paused_dag WHERE label = %s; lists them.",
						 quote_literal_cstr(call->label))));
}

/* Somebody has unpaused them: they are what they were before pause_all(). */
static void
settle_active(ResumeCall *call)
{
	const char *schema = call->quoted_schema;

	query_dags(call,
			   psprintf("SELECT d.dag_id::text FROM %s.dag d WHERE NOT d.is_paused AND " WANTED
						" ORDER BY 1",
						schema, schema));
	notice_left("active already");
	mark_resumed(call->label, rows_as_array());
}

/* They were resumed, and paused since then by somebody who will have a reason. */
static void
notice_paused_again(ResumeCall *call)
{
	const char *schema = call->quoted_schema;

	call->args.values[0] = remembered(call->label, true);
	query_dags(call, psprintf("SELECT d.dag_id::text FROM %s.dag d WHERE d.is_paused AND " WANTED
							  " ORDER BY 1",
							  schema, schema));
	notice_left("resumed before and paused by somebody since, left");
	call->args.values[0] = call->paused;
}

/* Those with a tag "critical" first. Emits the DAGs. */
static void
resume_wanted(ResumeCall *call, FunctionCallInfo fcinfo)
{
	const char *schema = call->quoted_schema;
	Datum dag_ids;
	ArrayType *array;
	Datum *elements;
	int count;
	bool isnull = false;

	query_dags(call,
			   psprintf("WITH wanted AS (SELECT d.dag_id, EXISTS (SELECT FROM %s.dag_tag t"
						"  WHERE t.dag_id = d.dag_id AND lower(t.name) = 'critical') AS critical"
						" FROM %s.dag d WHERE d.is_paused AND " WANTED
						" ORDER BY 2 DESC, 1 LIMIT $4),"
						" resumed AS (UPDATE %s.dag d SET is_paused = false FROM wanted w"
						"  WHERE d.dag_id = w.dag_id RETURNING d.dag_id, w.critical)"
						" SELECT dag_id::text FROM resumed ORDER BY critical DESC, dag_id",
						schema, schema, schema, schema));
	dag_ids = rows_as_array();
	mark_resumed(call->label, dag_ids);
	array = DatumGetArrayTypeP(dag_ids);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		result_row(fcinfo, &elements[i], &isnull);
}

/*
 * resume(label text, tag text, dag_like text, max_dags integer)
 */
Datum
airflow_pin_resume(PG_FUNCTION_ARGS)
{
	ResumeCall call = {.label = required_label(fcinfo), .schema = airflow_schema()};

	call.quoted_schema = quote_identifier(call.schema);
	call.dag = lock_dag(call.schema);
	(void) lock_table(call.schema, "dag_tag", AccessShareLock);
	if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_dags must be at least 1, or NULL for all"),
						errhint("To resume all, leave it out.")));
	result_values_begin(fcinfo);
	SPI_connect();
	require_label(call.label);
	call.paused = remembered(call.label, false);
	arg_datum(&call.args, TEXTARRAYOID, call.paused);
	call.tag = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	call.dag_like = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	arg_text(&call.args, call.tag);
	arg_text(&call.args, call.dag_like);
	if (PG_ARGISNULL(3))
		arg_null(&call.args, INT4OID);
	else
		arg_int(&call.args, PG_GETARG_INT32(3));
	warn_of_nothing_meant(&call);
	notice_gone(&call);
	settle_active(&call);
	notice_paused_again(&call);
	resume_wanted(&call, fcinfo);
	SPI_finish();
	return (Datum) 0;
}
