/*
 * fuzz.c
 *		libFuzzer on what reads bytes that others wrote, inside a real single-user backend.
 *
 * SQL: fuzz(target text, arguments text[]). Nothing is replaced: memory contexts, errors and jsonb are
 * the server's. libFuzzer ends the process.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "dag/serialized_dag.h"
#include "schedule/schedule.h"
#include "tasks/task.h"
#include "tasks/task_plan.h"
#include "values/pickled_conf.h"
#include "values/xcom_value.h"
#include "watch/statement.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz);

extern int LLVMFuzzerRunDriver(int *argc, char ***argv,
							   int (*callback)(const uint8_t *data, size_t size));

#define ZLIB_FIRST_BYTE 0x78

/* A row of serialized_dag: zlib, or text as a column of type json would have let it in. */
static Jsonb *
decode(const char *data, int size, DagParts parts)
{
	Datum value = PointerGetDatum(cstring_to_text_with_len(data, size));
	bool compressed = size > 0 && data[0] == ZLIB_FIRST_BYTE;
	DagColumns columns = {.data = value,
						  .data_isnull = compressed,
						  .data_type = JSONOID,
						  .compressed = value,
						  .compressed_isnull = !compressed};

	if (!compressed && !pg_verify_mbstr(PG_UTF8, data, size, true))
		return NULL;
	return serialized_dag_decode(&columns, parts);
}

/* What reconcile.c relies on. Reads every byte of the plan, for the address sanitizer. */
static void
check_plan(TaskPlan *plan)
{
	int64 rows = 0;

	for (int i = 0; i < plan->count; i++)
	{
		PlannedTask *task = &plan->tasks[i];
		const char *texts[] = {task->task_id,
							   task->task_display_name,
							   task->task_type,
							   task->custom_operator_name,
							   task->queue,
							   task->pool,
							   task->executor,
							   task->unknown_weight_rule,
							   task->unknown_executor_config};

		for (int t = 0; t < (int) lengthof(texts); t++)
			if (texts[t] != NULL && !pg_verify_mbstr(PG_UTF8, texts[t], strlen(texts[t]), true))
				abort();
		if (task->instances != NOT_EXPANDED && task->instances <= 0)
			abort();
		rows += Max(task->instances, 1);
		if (task_plan_find(plan, task->task_id) != task)
			abort();
	}
	if (rows > 100000)
		abort();
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_bytes(const bytea *a, const bytea *b)
{
	return a == NULL || b == NULL ? a == b
								  : VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static bool
same_weights(const int64 *a, const int64 *b)
{
	return a == NULL || b == NULL ? a == b
								  : memcmp(a, b, BUILT_IN_WEIGHT_RULES * sizeof(int64)) == 0;
}

static bool
same_task(const PlannedTask *a, const PlannedTask *b)
{
	return same_text(a->task_id, b->task_id) &&
		   same_text(a->task_display_name, b->task_display_name) &&
		   same_text(a->task_type, b->task_type) &&
		   same_text(a->custom_operator_name, b->custom_operator_name) &&
		   same_text(a->queue, b->queue) && same_text(a->pool, b->pool) &&
		   same_text(a->executor, b->executor) &&
		   same_text(a->unknown_weight_rule, b->unknown_weight_rule) &&
		   same_text(a->unknown_executor_config, b->unknown_executor_config) &&
		   same_bytes(a->executor_config, b->executor_config) && a->instances == b->instances &&
		   a->pool_slots == b->pool_slots && a->max_tries == b->max_tries &&
		   a->priority_weight == b->priority_weight &&
		   a->queue_is_configured == b->queue_is_configured &&
		   a->retries_are_configured == b->retries_are_configured &&
		   same_weights(a->configured_weights, b->configured_weights);
}

static const RunFacts runs[] = {{.has_logical_date = true, .logical_date = 0},
								{.is_backfill = true}};

#define RUNS lengthof(runs)

/* Plan the runs; one that cannot be planned keeps its NULL. An internal error is a bug. */
static void
plan_runs(const char *data, int size, DagParts parts, TaskPlan **plans)
{
	MemoryContext saved = CurrentMemoryContext;

	PG_TRY();
	{
		Jsonb *json = decode(data, size, parts);

		for (int i = 0; json != NULL && i < (int) RUNS; i++)
			plans[i] = task_plan_build(json, &runs[i]);
	}
	PG_CATCH();
	{
		if (geterrcode() == ERRCODE_INTERNAL_ERROR)
			PG_RE_THROW();
		MemoryContextSwitchTo(saved);
		FlushErrorState();
	}
	PG_END_TRY();
}

/* An outline gives the plan that the whole DAG gives, and perhaps one where the whole cannot be read. */
static void
read_serialized_dag(const char *data, int size)
{
	TaskPlan *outlines[RUNS] = {0};
	TaskPlan *wholes[RUNS] = {0};

	plan_runs(data, size, DAG_OUTLINE, outlines);
	plan_runs(data, size, DAG_WHOLE, wholes);
	for (int run = 0; run < (int) RUNS; run++)
	{
		const TaskPlan *whole = wholes[run];

		if (outlines[run] != NULL)
			check_plan(outlines[run]);
		if (whole == NULL)
			continue;
		if (outlines[run] == NULL || outlines[run]->count != whole->count)
			abort();
		for (int i = 0; i < whole->count; i++)
			if (!same_task(&outlines[run]->tasks[i], &whole->tasks[i]))
				abort();
	}
}

static void
read_conf(const char *data, int size)
{
	(void) pickled_conf(data, size);
}

static void
read_xcom(const char *data, int size)
{
	(void) xcom_value(data, size);
}

/* A statement of another session, which the server shows as text that may be cut off. */
static void
read_statement(const char *data, int size)
{
	Statement statement;

	statement_read(pnstrdup(data, size), &statement);
	(void) statement_name(&statement);
}

/* A time found is on the right side of the one that was asked about. */
static void
check_cron(const char *text)
{
	CronExpression cron;
	Timestamp found;

	if (cron_read(text, &cron) != NULL)
		return;
	for (int year = -40; year <= 120; year += 32)
	{
		const Timestamp wall = year * 366 * USECS_PER_DAY + 12345678901;

		if (cron_search(&cron, CRON_NEXT, wall, &found) == CRON_FOUND && found <= wall)
			abort();
		if (cron_search(&cron, CRON_PREVIOUS, wall, &found) == CRON_FOUND && found >= wall)
			abort();
	}
}

/* The schedule of a serialized DAG, asked of every Airflow; of what is no JSON object the cron expression. */
static void
read_schedule(const char *data, int size)
{
	static const DataInterval last = {.start = 800000000000000, .end = 800003600000000};
	Schedule schedule;
	NextRun next;
	Jsonb *json;

	if (!pg_verify_mbstr(PG_UTF8, data, size, true))
		return;
	if (size == 0 || data[0] != '{')
	{
		check_cron(pnstrdup(data, size));
		return;
	}
	json = decode(data, size, DAG_WHOLE);
	if (json == NULL || schedule_read(json, &schedule) != NULL)
		return;
	for (int minor = 0; minor <= 3; minor++)
	{
		schedule_next_run(&schedule, minor, NULL, 820000000000001, &next);
		schedule_next_run(&schedule, minor, &last, 820000000000001, &next);
		if (next.exists && next.failure != NULL)
			abort();
	}
}

typedef struct Target
{
	const char *name;
	void (*reader)(const char *data, int size);
} Target;

static const Target targets[] = {
	{"serialized_dag", read_serialized_dag}, {"conf", read_conf},		  {"xcom", read_xcom},
	{"statement", read_statement},			 {"schedule", read_schedule},
};

static const Target *target; /* libFuzzer hands no argument on */

/*
 * Errors are what hostile input gets; an internal one is a bug. The reader gets a copy of its own size,
 * so that the address sanitizer sees what reads past the end.
 */
static int
run_reader(const uint8_t *data, size_t size)
{
	MemoryContext saved = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(saved, "fuzz", ALLOCSET_DEFAULT_SIZES);
	char *copy = malloc(size);

	memcpy(copy, data, size);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		target->reader(copy, size);
	}
	PG_CATCH();
	{
		if (geterrcode() == ERRCODE_INTERNAL_ERROR)
		{
			EmitErrorReport();
			abort();
		}
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(context);
	free(copy);
	return 0;
}

static const Target *
target_by_name(const char *name)
{
	for (int i = 0; i < (int) lengthof(targets); i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no target \"%s\"", name)));
}

Datum
fuzz(PG_FUNCTION_ARGS)
{
	Datum *values;
	int count;
	char **arguments;

	target = target_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &values, NULL,
					  &count);
	count++; /* the program's name */
	arguments = palloc0((count + 1) * sizeof(char *));
	arguments[0] = pstrdup("fuzz");
	for (int i = 1; i < count; i++)
		arguments[i] = TextDatumGetCString(values[i - 1]);
	LLVMFuzzerRunDriver(&count, &arguments, run_reader);
	PG_RETURN_VOID();
}
