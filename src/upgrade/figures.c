/*
 * figures.c
 *		Figures of an Airflow that are worth comparing before and after a migration.
 *
 * Each is one query on one table, read as its owner, without waiting for a lock, and bounded on
 * large tables: what happened within the last hour is looked for among the newest runs only.
 */
#include "figures.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "airflow/relations.h"
#include "health/health_check.h"
#include "health/table_query.h"
#include "relation/relation.h"
#include "relation/relation_size.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

#define COUNTED_ROWS 100000 /* tables of more rows are estimated, or of more bytes */
#define COUNTED_BYTES ((int64) 256 * 1024 * 1024)
#define NEWEST_RUNS "100000"
#define RECENT_RUNS "10000" /* of those, whose tasks are looked at */

static const FigureKind kinds[] = {
	{"rows", FIGURE_NOT_LESS, "rows", "Compare the table with the backup."},
	{"dags", FIGURE_NOT_LESS, "DAGs that are not stale",
	 "Their files are parsed again after a migration: wait for the DAG processor, then look at "
	 "import_error."},
	{"paused_dags", FIGURE_NOT_MORE, "DAGs that are paused",
	 "airflow_pin.resume() brings back those that pause_all() paused."},
	{"import_errors", FIGURE_NOT_MORE, "files that cannot be imported", "Look at import_error."},
	{"serialized_dags", FIGURE_NOT_LESS, "DAGs that are serialized",
	 "A migration to Airflow 3 empties serialized_dag: wait until the DAG processor has parsed "
	 "all."},
	{"runs_last_hour", FIGURE_NOT_HALVED, "runs started within the last hour",
	 "Look at the scheduler's log, and at what is paused."},
	{"tasks_last_hour", FIGURE_NOT_HALVED, "task instances started in runs of the last hour",
	 "Look at pools, workers and the executor's log."},
	{"failed_runs_last_hour", FIGURE_NOT_DOUBLED,
	 "failed runs of those started within the last hour",
	 "Look at the tasks' logs: providers and operators may have changed."},
	{"failed_tasks_last_hour", FIGURE_NOT_DOUBLED, "failed task instances in runs of the last hour",
	 "Look at the tasks' logs: providers and operators may have changed."},
	{"queue_age_seconds", FIGURE_NOT_DOUBLED, "seconds for which the oldest task is queued",
	 "Look at workers and pools."},
};

/* A query that gives one value; %1$s stands for the table, %2$s for a second one. */
typedef struct FigureSource
{
	const char *kind;
	const char *table;
	const char *other;	/* or NULL */
	const char *column; /* of the table; must be there */
	const char *sql;
} FigureSource;

#define RECENT                                                                                     \
	"(SELECT * FROM %1$s WHERE id > (SELECT max(id) FROM %1$s) - " NEWEST_RUNS ") r"               \
	" WHERE r.start_date > clock_timestamp() - interval '1 hour'"

/* LATERAL and OFFSET keep the planner to the index: task_instance may be huge. */
#define RECENT_TASKS                                                                               \
	"(SELECT dag_id, run_id FROM " RECENT " LIMIT " RECENT_RUNS ") x, LATERAL"                     \
	" (SELECT i.start_date, i.state FROM %2$s i"                                                   \
	"  WHERE i.dag_id = x.dag_id AND i.run_id = x.run_id OFFSET 0) t"

static const FigureSource sources[] = {
	{"dags", "dag", NULL, "is_stale", "SELECT count(*) FROM %1$s WHERE NOT is_stale"},
	{"dags", "dag", NULL, "is_active", "SELECT count(*) FROM %1$s WHERE is_active"},
	{"paused_dags", "dag", NULL, "is_paused", "SELECT count(*) FROM %1$s WHERE is_paused"},
	{"import_errors", "import_error", NULL, "id", "SELECT count(*) FROM %1$s"},
	{"serialized_dags", "serialized_dag", NULL, "dag_id",
	 "SELECT count(DISTINCT dag_id) FROM %1$s"},
	{"runs_last_hour", "dag_run", NULL, "start_date", "SELECT count(*) FROM " RECENT},
	{"tasks_last_hour", "dag_run", "task_instance", "start_date",
	 "SELECT count(*) FROM " RECENT_TASKS " WHERE t.start_date IS NOT NULL"},
	{"failed_runs_last_hour", "dag_run", NULL, "start_date",
	 "SELECT count(*) FROM " RECENT " AND r.state = 'failed'"},
	{"failed_tasks_last_hour", "dag_run", "task_instance", "start_date",
	 "SELECT count(*) FROM " RECENT_TASKS " WHERE t.state = 'failed'"},
	{"queue_age_seconds", "task_instance", NULL, "queued_dttm",
	 "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(queued_dttm)), 0)::bigint"
	 " FROM %1$s WHERE state = 'queued'"},
};

/* One value of a table, for guarded_call(). */
typedef struct FigureQuery
{
	Oid relation;
	const char *sql;
	int64 value;
} FigureQuery;

/* Tables that keep their name through every migration, and of which nothing should be lost. */
static const char *const kept_tables[] = {
	"connection", "variable", "slot_pool", "dag_run",	   "task_instance",
	"log",		  "ab_user",  "ab_role",   "ab_user_role", "ab_permission_view_role",
};

const FigureKind *
figure_kind(const char *name)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static List *
add_figure(List *figures, const char *kind, const char *object, int64 value, bool estimated)
{
	Figure *figure = palloc0(sizeof(Figure));

	figure->kind = figure_kind(kind);
	figure->object = object;
	figure->value = value;
	figure->estimated = estimated;
	return lappend(figures, figure);
}

static List *
add_unknown(List *figures, const char *kind, const char *object)
{
	Figure *figure = palloc0(sizeof(Figure));

	figure->kind = figure_kind(kind);
	figure->object = object;
	figure->unknown = true;
	return lappend(figures, figure);
}

/* GuardedCall */
static void
query_figure(void *arg)
{
	FigureQuery *query = arg;
	OwnerScope scope;

	SPI_connect();
	owner_scope_enter_foreign(&scope, query->relation);
	query_run(query->sql, NULL, true, 1);
	owner_scope_leave(&scope);
	query->value = row_bigint(0, 1);
	SPI_finish();
}

/*
 * A figure that cannot be read, as by the owner of one table where another is not his, is unknown.
 */
static List *
add_queried(List *figures, const char *kind, const char *object, Oid relation, const char *sql,
			FindingList *unknown)
{
	FigureQuery query = {.relation = relation, .sql = sql};
	ErrorData *error = guarded_call(query_figure, &query);

	if (error == NULL)
		return add_figure(figures, kind, object, query.value, false);
	add_error_finding(unknown, kind, SEVERITY_UNKNOWN, error);
	return add_unknown(figures, kind, object);
}

static List *
read_source(List *figures, const FigureSource *source, const char *schema, FindingList *unknown)
{
	const char *other_table = source->other ? source->other : source->table;
	Oid relation = airflow_relation_oid(schema, source->table);
	Oid other = airflow_relation_oid(schema, other_table);

	if (!OidIsValid(relation) || !OidIsValid(other) ||
		get_attnum(relation, source->column) == InvalidAttrNumber)
		return figures;
	if (!may_read_table(unknown, source->kind, source->table, relation) ||
		!may_read_table(unknown, source->kind, other_table, other))
		return add_unknown(figures, source->kind, NULL);
	return add_queried(figures, source->kind, NULL, relation,
					   psprintf(source->sql, quote_qualified_identifier(schema, source->table),
								quote_qualified_identifier(schema, other_table)),
					   unknown);
}

/*
 * Has so much changed since the last ANALYZE that the estimate is none? An UPDATE of all rows
 * doubles the file that it goes by, and a DELETE leaves it as it is.
 */
static bool
estimate_is_stale(Oid relation, int64 rows)
{
	int64 changed = 0;
	ListCell *cell;

	foreach (cell, table_and_partitions(relation))
		changed += DatumGetInt64(
			DirectFunctionCall1(pg_stat_get_mod_since_analyze, ObjectIdGetDatum(lfirst_oid(cell))));
	return changed > rows / 5;
}

/* A table that is too large to be counted, and "why" its rows cannot be estimated. */
static List *
add_unanalyzed(List *figures, const char *table, const char *schema, const char *why,
			   FindingList *unknown)
{
	const char *name = quote_qualified_identifier(schema, table);

	findings_add(unknown, &(Finding){.check_name = "rows",
									 .severity = SEVERITY_UNKNOWN,
									 .object = table,
									 .message = psprintf(
										 "table %s is too large to be counted, and %s", table, why),
									 .hint = "Analyze it, and ask again.",
									 .fix_sql = psprintf("ANALYZE %s;", name)});
	return add_unknown(figures, "rows", table);
}

/* Rows of a table: counted where it is small, else estimated from the catalog and the files. */
static List *
read_rows(List *figures, const char *table, const char *schema, FindingList *unknown)
{
	Oid relation = airflow_relation_oid(schema, table);
	RelationSize size;

	if (!OidIsValid(relation))
		return figures;
	size = table_tree_size(relation);
	if (size.estimated_rows > COUNTED_ROWS || size.heap > COUNTED_BYTES)
	{
		if (size.estimated_rows < 0)
			return add_unanalyzed(figures, table, schema, "was never analyzed", unknown);
		if (estimate_is_stale(relation, size.estimated_rows))
			return add_unanalyzed(figures, table, schema,
								  "more than a fifth of it has changed since the last ANALYZE",
								  unknown);
		return add_figure(figures, "rows", table, size.estimated_rows, true);
	}
	if (!may_read_table(unknown, "rows", table, relation))
		return add_unknown(figures, "rows", table);
	return add_queried(
		figures, "rows", table, relation,
		psprintf("SELECT count(*) FROM %s", quote_qualified_identifier(schema, table)), unknown);
}

/*
 * All figures that this Airflow has: a list of Figure. What could not be read becomes a finding. To
 * be called between SPI_connect() and SPI_finish(); locks what it reads to the transaction's end.
 */
List *
collect_figures(const char *schema, FindingList *unknown)
{
	List *figures = NIL;

	for (int i = 0; i < (int) lengthof(kept_tables); i++)
		figures = read_rows(figures, kept_tables[i], schema, unknown);
	for (int i = 0; i < (int) lengthof(sources); i++)
		figures = read_source(figures, &sources[i], schema, unknown);
	return figures;
}
