/*
 * diff.c
 *		diff(): what changes between two versions of a DAG.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "command/find_version.h"
#include "dag/serialized_dag.h"
#include "dag/version.h"
#include "hold/schedule_words.h"
#include "util/jsonb_member.h"
#include "util/result_rows.h"

/* Called for each key of two objects whose values differ; NULL where a side lacks it. */
typedef void (*KeyDifference)(FunctionCallInfo fcinfo, const char *prefix, const char *key,
							  JsonbValue *from, JsonbValue *to);

PG_FUNCTION_INFO_V1(airflow_pin_diff);

static void
emit(FunctionCallInfo fcinfo, const char *kind, const char *item, JsonbValue *from, JsonbValue *to)
{
	Datum values[] = {CStringGetTextDatum(kind), CStringGetTextDatum(item), 0, 0};
	bool nulls[] = {false, false, from == NULL, to == NULL};

	if (from != NULL)
		values[2] = JsonbPGetDatum(JsonbValueToJsonb(from));
	if (to != NULL)
		values[3] = JsonbPGetDatum(JsonbValueToJsonb(to));
	result_row(fcinfo, values, nulls);
}

static bool
same_json(JsonbValue *a, JsonbValue *b)
{
	Jsonb *left = JsonbValueToJsonb(a);
	Jsonb *right = JsonbValueToJsonb(b);

	return compareJsonbContainers(&left->root, &right->root) == 0;
}

static char *
key_text(const JsonbValue *key)
{
	return pnstrdup(key->val.string.val, key->val.string.len);
}

/*
 * Compare two objects key by key. Either may be NULL: an object without keys.
 */
static void
compare_objects(FunctionCallInfo fcinfo, const char *prefix, JsonbContainer *from,
				JsonbContainer *to, KeyDifference difference)
{
	JsonbContainer *sides[] = {from, to};

	for (int side = 0; side < 2; side++)
	{
		JsonbIterator *iterator;
		JsonbIteratorToken token;
		JsonbValue item;

		if (sides[side] == NULL)
			continue;
		iterator = JsonbIteratorInit(sides[side]);
		while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
		{
			char *key;
			JsonbValue *left;
			JsonbValue *right;

			if (token != WJB_KEY)
				continue;
			key = key_text(&item);
			left = json_member(from, key);
			right = json_member(to, key);
			/* what both sides have is compared once, in the first pass */
			if (left != NULL && right != NULL && (side == 1 || same_json(left, right)))
				continue;
			difference(fcinfo, prefix, key, left, right);
		}
	}
}

/* KeyDifference: a field of a task. */
static void
task_field_differs(FunctionCallInfo fcinfo, const char *task_id, const char *field,
				   JsonbValue *from, JsonbValue *to)
{
	emit(fcinfo, "task_changed", psprintf("%s.%s", task_id, field), from, to);
}

/* KeyDifference: a member of the DAG itself. Tasks are compared one by one elsewhere. */
static void
dag_member_differs(FunctionCallInfo fcinfo, const char *prefix pg_attribute_unused(),
				   const char *key, JsonbValue *from, JsonbValue *to)
{
	if (strcmp(key, "tasks") == 0)
		return;
	emit(fcinfo, strcmp(key, "timetable") == 0 ? "schedule" : "setting", key, from, to);
}

/* KeyDifference: a default of all tasks. */
static void
default_differs(FunctionCallInfo fcinfo, const char *prefix, const char *key, JsonbValue *from,
				JsonbValue *to)
{
	emit(fcinfo, "setting", psprintf("%s.%s", prefix, key), from, to);
}

/* The task of that name in a DAG's list of tasks, or NULL. */
static JsonbValue *
find_task(JsonbContainer *tasks, const char *task_id)
{
	uint32 count = tasks && JsonContainerIsArray(tasks) ? JsonContainerSize(tasks) : 0;

	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(tasks, i);
		JsonbValue *task =
			element->type == jbvBinary ? json_member(element->val.binary.data, "__var") : NULL;

		if (task != NULL && task->type == jbvBinary &&
			json_string_is(json_member(task->val.binary.data, "task_id"), task_id))
			return task;
	}
	return NULL;
}

/*
 * Walk over the tasks of one side. With "pairs" the tasks of both sides are compared field by
 * field; without, those that the other side lacks are told as "kind".
 */
static void
compare_tasks(FunctionCallInfo fcinfo, JsonbContainer *tasks, JsonbContainer *others,
			  const char *kind, bool pairs)
{
	uint32 count = tasks && JsonContainerIsArray(tasks) ? JsonContainerSize(tasks) : 0;

	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(tasks, i);
		JsonbValue *task =
			element->type == jbvBinary ? json_member(element->val.binary.data, "__var") : NULL;
		JsonbValue *task_id =
			task && task->type == jbvBinary ? json_member(task->val.binary.data, "task_id") : NULL;
		JsonbValue *other;
		char *name;

		CHECK_FOR_INTERRUPTS();
		if (task_id == NULL || task_id->type != jbvString)
			continue;
		name = json_string(task_id);
		other = find_task(others, name);
		if (other != NULL && pairs)
			compare_objects(fcinfo, name, task->val.binary.data, other->val.binary.data,
							task_field_differs);
		else if (other == NULL)
			emit(fcinfo, kind, name, pairs ? task : NULL, pairs ? NULL : task);
	}
}

/* A row whose values are sentences; none where they are the same. */
static void
words_differ(FunctionCallInfo fcinfo, const char *kind, const char *item, char *from, char *to)
{
	JsonbValue values[2];
	char *words[] = {from, to};

	if (from == NULL || to == NULL || strcmp(from, to) == 0)
		return;
	for (int i = 0; i < 2; i++)
	{
		values[i].type = jbvString;
		values[i].val.string.val = words[i];
		values[i].val.string.len = strlen(words[i]);
	}
	emit(fcinfo, kind, item, &values[0], &values[1]);
}

/* The version whose content is being read. */
typedef struct VersionRead
{
	const char *dag_id;
	int32 number;
} VersionRead;

/* ErrorContextCallback: what is wrong with a content does not name its version. */
static void
name_version(void *arg)
{
	const VersionRead *read = arg;

	errcontext("version %d of DAG \"%s\"", read->number, read->dag_id);
}

static Jsonb *
load_version(const AirflowTables *tables, const char *dag_id, int32 number)
{
	VersionRead read = {.dag_id = dag_id, .number = number};
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = name_version, .arg = &read};
	DagVersion version;
	Jsonb *data;

	require_version(tables, dag_id, number, &version);
	error_context_stack = &context;
	data = serialized_dag_load(tables, &version.id);
	if (data != NULL)
		(void) serialized_dag_body(data);
	error_context_stack = context.previous;
	if (data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("version %d of DAG \"%s\" has no serialized DAG", number, dag_id),
				 errdetail("Airflow has removed it."), errhint("Compare with another version.")));
	return data;
}

/*
 * diff(dag_id, from_version, to_version)
 */
Datum
airflow_pin_diff(PG_FUNCTION_ARGS)
{
	char *dag_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	AirflowTables tables;
	DagSource source;
	Jsonb *from;
	Jsonb *to;
	JsonbContainer *from_dag;
	JsonbContainer *to_dag;

	result_rows_begin(fcinfo);
	SPI_connect();
	airflow_tables(&tables, airflow_schema());
	if (!dag_source(&tables, dag_id, &source))
		raise_no_such_dag(&tables, dag_id);
	from = load_version(&tables, dag_id, PG_GETARG_INT32(1));
	to = load_version(&tables, dag_id, PG_GETARG_INT32(2));
	from_dag = serialized_dag_body(from);
	to_dag = serialized_dag_body(to);

	compare_tasks(fcinfo, json_child(from_dag, "tasks"), json_child(to_dag, "tasks"),
				  "task_removed", true);
	compare_tasks(fcinfo, json_child(to_dag, "tasks"), json_child(from_dag, "tasks"), "task_added",
				  false);
	compare_objects(fcinfo, NULL, from_dag, to_dag, dag_member_differs);
	words_differ(fcinfo, "schedule", "in words", schedule_words(from), schedule_words(to));
	words_differ(fcinfo, "setting", "limits in words", limit_words(from), limit_words(to));
	compare_objects(fcinfo, "task_defaults",
					json_child(json_child(&from->root, "client_defaults"), "tasks"),
					json_child(json_child(&to->root, "client_defaults"), "tasks"), default_differs);
	SPI_finish();
	return (Datum) 0;
}
