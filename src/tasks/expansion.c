/*
 * expansion.c
 *		How many task instances a mapped task gets when its run is created.
 *
 * DagRun._create_tasks (airflow/models/dagrun.py) expands what maps over literals only; all else
 * starts as one task instance with map_index -1, because nothing upstream has run yet. The lengths
 * are those of get_mapped_ti_count (airflow/serialization/definitions/mappedoperator.py) and
 * airflow/models/expandinput.py.
 */
#include "expansion.h"

#include "miscadmin.h"

#include "dag/dag_text.h"
#include "util/jsonb_member.h"

/* Lengths besides counts. A group that is not inside any mapped group has none. */
#define LENGTH_UNRESOLVED (-1)
#define LENGTH_NOT_MAPPED (-2)

static int64
multiply_lengths(int64 a, int64 b)
{
	int64 product = a * b; /* of two that are no more than PG_INT32_MAX */

	if (a == LENGTH_UNRESOLVED || b == LENGTH_UNRESOLVED)
		return LENGTH_UNRESOLVED;
	if (product > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a mapped task has too many task instances"),
						errdetail("The lengths of what it maps over multiply to more than %d.",
								  PG_INT32_MAX),
						errhint(HINT_TOO_LARGE)));
	return product;
}

static void
raise_unknown_mapping(void)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("a mapped task's input is neither a literal nor an XCom reference")));
}

/*
 * len() of one mapped argument, or LENGTH_UNRESOLVED for an XCom.
 */
static int64
argument_length(const JsonbValue *value)
{
	JsonbContainer *container;
	JsonbContainer *content;
	JsonbValue *type;

	if (value->type != jbvBinary)
		raise_unknown_mapping();
	container = value->val.binary.data;
	if (JsonContainerIsArray(container))
		return JsonContainerSize(container);

	type = json_member(container, "__type");
	content = json_child(container, "__var");
	if (json_string_is(type, "xcomref"))
		return LENGTH_UNRESOLVED;
	if (content == NULL || !(json_string_is(type, "dict") || json_string_is(type, "tuple") ||
							 json_string_is(type, "set")))
		raise_unknown_mapping();
	return JsonContainerSize(content);
}

/* expand(): the product over all arguments; nothing to expand over is a length of 0. */
static int64
dict_of_lists_length(const JsonbValue *value)
{
	JsonbContainer *arguments =
		value->type == jbvBinary ? json_child(value->val.binary.data, "__var") : NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;
	int64 length = 1;

	if (arguments == NULL || !JsonContainerIsObject(arguments))
		raise_unknown_mapping();
	if (JsonContainerSize(arguments) == 0)
		return 0;
	iterator = JsonbIteratorInit(arguments);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
		if (token == WJB_VALUE)
			length = multiply_lengths(length, argument_length(&item));
	return length;
}

/*
 * Length of an encoded expand input: {"type": ..., "value": ...}.
 */
static int64
expand_input_length(JsonbContainer *input)
{
	JsonbValue *type = json_member(input, "type");
	JsonbValue *value = json_member(input, "value");

	if (value != NULL && json_string_is(type, "dict-of-lists"))
		return dict_of_lists_length(value);
	if (value == NULL || !json_string_is(type, "list-of-dicts"))
		raise_unknown_mapping();
	return argument_length(value);
}

static int
add_group(TaskGroups *groups, int64 length)
{
	if (groups->count == groups->capacity)
	{
		groups->capacity = Max(groups->capacity * 2, 16);
		groups->lengths = groups->lengths
							  ? repalloc(groups->lengths, groups->capacity * sizeof(int64))
							  : palloc(groups->capacity * sizeof(int64));
	}
	groups->lengths[groups->count] = length;
	return groups->count++;
}

static void read_group(TaskGroups *groups, JsonbContainer *group, int64 outer, GroupMember member,
					   void *arg);

/* A child is ["operator", task_id] or ["taskgroup", {...}]. */
static void
read_child(TaskGroups *groups, const JsonbValue *child, int group, GroupMember member, void *arg)
{
	JsonbContainer *pair = child->type == jbvBinary ? child->val.binary.data : NULL;
	JsonbValue *kind;
	JsonbValue *content;

	if (pair == NULL || !JsonContainerIsArray(pair) || JsonContainerSize(pair) != 2)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a task group of the serialized DAG is malformed")));
	kind = getIthJsonbValueFromContainer(pair, 0);
	content = getIthJsonbValueFromContainer(pair, 1);
	if (json_string_is(kind, "operator") && content->type == jbvString)
		member(json_string(content), group, arg);
	else if (content->type == jbvBinary)
		read_group(groups, content->val.binary.data, groups->lengths[group], member, arg);
}

static void
read_group(TaskGroups *groups, JsonbContainer *group, int64 outer, GroupMember member, void *arg)
{
	JsonbValue *is_mapped = json_member(group, "is_mapped");
	JsonbContainer *children = json_child(group, "children");
	int64 length = outer;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;
	int number;

	check_stack_depth();
	if (is_mapped != NULL && is_mapped->type == jbvBool && is_mapped->val.boolean)
	{
		length = expand_input_length(json_child(group, "expand_input"));
		if (outer != LENGTH_NOT_MAPPED)
			length = multiply_lengths(length, outer);
	}
	number = add_group(groups, length);
	if (children == NULL)
		return;

	iterator = JsonbIteratorInit(children);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
		if (token == WJB_VALUE)
			read_child(groups, &item, number, member, arg);
}

/*
 * Read the DAG's tree of task groups ("root" may be NULL: a DAG without one) and tell "member" of
 * each task in it.
 */
void
task_groups_read(TaskGroups *groups, JsonbContainer *root, GroupMember member, void *arg)
{
	memset(groups, 0, sizeof(*groups));
	if (root != NULL)
		read_group(groups, root, LENGTH_NOT_MAPPED, member, arg);
}

/* What a mapped task is mapped over: its "_expand_input_attr" names the field. */
static JsonbContainer *
expand_input(JsonbContainer *task)
{
	JsonbValue *name = field_of(task, FIELD_EXPAND_INPUT_ATTR);
	TaskField input = FIELD_EXPAND_INPUT;

	if (json_string_is(name, task_field_name(FIELD_OP_KWARGS_EXPAND_INPUT)))
		input = FIELD_OP_KWARGS_EXPAND_INPUT;
	else if (name != NULL && name->type == jbvString &&
			 !json_string_is(name, task_field_name(input)))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a mapped task has its input in an unknown field \"%s\"",
							   json_string(name))));
	return field_child(task, input);
}

/*
 * How many task instances the task starts with, or NOT_EXPANDED.
 */
int32
task_instances(const SerializedTask *task, const TaskGroups *groups)
{
	int64 length = task->group >= 0 ? groups->lengths[task->group] : LENGTH_NOT_MAPPED;

	if (task->layers.is_mapped)
	{
		int64 own = expand_input_length(expand_input(task->layers.own));

		length = length == LENGTH_NOT_MAPPED ? own : multiply_lengths(own, length);
	}
	/* an empty mapping, too, starts as one unexpanded task instance */
	return length > 0 ? (int32) length : -1;
}
