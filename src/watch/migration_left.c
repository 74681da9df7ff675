/*
 * migration_left.c
 *		At which revisions the database is, and what a migration has left to do.
 *
 * Airflow commits each revision for itself, with its number in the version table. So the one that
 * is going on is the first of migration_plan(), and its statements are those of the plan's steps.
 */
#include "migration_left.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/namespace.h"
#include "airflow/revision.h"
#include "plan/pending.h"
#include "plan/plan_steps.h"
#include "plan/version_history.h"
#include "util/guarded.h"
#include "util/query.h"

typedef struct LeftCall
{
	const char *schema;
	MigrationLeft *left;
	MemoryContext context; /* where it lives */
} LeftCall;

static const char *const steps_sql =
	"SELECT component, revision, relation, operation, updates_rows,"
	" coalesce((extract(epoch FROM eta_low) * 1000)::bigint, 0),"
	" coalesce((extract(epoch FROM eta_high) * 1000)::bigint, 0)"
	" FROM airflow_pin.migration_plan() ORDER BY step";

static LeftStep *
read_step(uint64 row)
{
	LeftStep *step = palloc(sizeof(LeftStep));

	step->component = row_required_text(row, 1);
	step->revision = row_required_text(row, 2);
	step->relation = row_text(row, 3);
	step->operation = row_text(row, 4);
	step->updates_rows = row_bool(row, 5);
	step->low = row_bigint(row, 6) / 1000.0;
	step->high = row_bigint(row, 7) / 1000.0;
	return step;
}

/* Where a component is, and the later revision that it was at before. */
static void
read_revision(const LeftCall *call, Component component, const char **revision,
			  const char **back_from)
{
	const char *now = database_revision(component, call->schema);
	const char *before = went_back_from(component, call->schema, now);

	*revision = now ? MemoryContextStrdup(call->context, now) : NULL;
	*back_from = before ? MemoryContextStrdup(call->context, before) : NULL;
}

/* GuardedCall */
static void
read_left(void *arg)
{
	LeftCall *call = arg;
	MigrationLeft *left = call->left;
	MemoryContext saved;

	SPI_connect();
	read_revision(call, COMPONENT_CORE, &left->core_revision, &left->core_back_from);
	read_revision(call, COMPONENT_FAB, &left->fab_revision, &left->fab_back_from);
	query_run(steps_sql, NULL, true, 0);
	saved = MemoryContextSwitchTo(call->context);
	for (uint64 row = 0; row < SPI_processed; row++)
		left->steps = lappend(left->steps, read_step(row));
	MemoryContextSwitchTo(saved);
	SPI_finish();
}

/*
 * Never raises an error, and waits for nobody: what could not be looked at is told as the problem.
 */
MigrationLeft *
migration_left(const char *schema)
{
	LeftCall call = {schema, palloc0(sizeof(MigrationLeft)), CurrentMemoryContext};
	ErrorData *error = guarded_call(read_left, &call);

	if (error != NULL)
	{
		call.left->problem = error_text(error);
		call.left->hint = error->hint;
	}
	return call.left;
}

/* Is this what the statement does? */
static bool
is_step(const LeftStep *step, const Statement *statement)
{
	const char *operation = step->operation;
	const char *columns;

	if (step->relation == NULL || strcmp(step->relation, statement->relation) != 0)
		return false;
	switch (statement->kind)
	{
		case STATEMENT_UPDATE:
			columns = strstr(operation, "SET ");
			return step->updates_rows && columns != NULL &&
				   strstr(columns, statement->column) != NULL;
		case STATEMENT_DELETE:
			return strncmp(operation, "DELETE", strlen("DELETE")) == 0;
		case STATEMENT_INSERT:
			return strncmp(operation, "INSERT", strlen("INSERT")) == 0;
		case STATEMENT_CREATE_INDEX:
			return strstr(operation, "CREATE") != NULL &&
				   strstr(operation, statement->column) != NULL;
		case STATEMENT_ALTER_TABLE:
			return statement->column[0] != '\0' && strstr(operation, statement->action) != NULL &&
				   strstr(operation, statement->column) != NULL;
		case STATEMENT_OTHER:
			break;
	}
	return false;
}

static bool
is_same_revision(const LeftStep *one, const LeftStep *other)
{
	return strcmp(one->component, other->component) == 0 &&
		   strcmp(one->revision, other->revision) == 0;
}

/* The revisions that follow the current one, and the time they take. */
static void
add_revision_after(CurrentRevision *current, const LeftStep *step, const LeftStep *before)
{
	if (!is_same_revision(step, before))
		current->revisions_after++;
	current->low_after += step->low;
	current->high_after += step->high;
}

/*
 * A statement that is none of the next revision's, after the database went back: then an earlier
 * one is being undone, by all that can be seen.
 */
static bool
goes_back(const MigrationLeft *left, CurrentRevision *current)
{
	bool fab = strcmp(current->component, "fab") == 0;
	const char *back_from = fab ? left->fab_back_from : left->core_back_from;

	if (current->step != NULL || back_from == NULL)
		return false;
	*current = (CurrentRevision){.component = current->component, .back_from = back_from};
	return true;
}

/*
 * A statement about a table that the next revision leaves alone is of another one. Each of them
 * writes the version table.
 */
static bool
is_of_another(const LeftStep *first, const Statement *statement, bool touched,
			  CurrentRevision *current)
{
	if (touched || statement->kind == STATEMENT_OTHER || statement->relation[0] == '\0' ||
		strncmp(statement->relation, CORE_VERSION_TABLE, strlen(CORE_VERSION_TABLE)) == 0)
		return false;
	*current = (CurrentRevision){.component = first->component, .not_of = first->revision};
	return true;
}

/*
 * Where a session is that executes the statement. "component" says whose revision it is; NULL: of
 * whichever comes next.
 */
void
current_revision(const MigrationLeft *left, const char *component, const Statement *statement,
				 CurrentRevision *current)
{
	const LeftStep *first = NULL;
	const LeftStep *before = NULL;
	bool touched = false;
	ListCell *cell;

	memset(current, 0, sizeof(*current));
	foreach (cell, left->steps)
	{
		const LeftStep *step = lfirst(cell);
		bool same_table = step->relation && strcmp(step->relation, statement->relation) == 0;

		if (first == NULL && (component == NULL || strcmp(step->component, component) == 0))
			first = step;
		if (first != NULL && is_same_revision(step, first))
		{
			current->steps++;
			touched |= same_table;
			if (current->step == NULL && is_step(step, statement))
			{
				current->step = step;
				current->step_number = current->steps;
			}
			else if (current->step == NULL && step->updates_rows && same_table)
				current->updates_before++;
		}
		else if (first != NULL)
		{
			Assert(before != NULL);
			add_revision_after(current, step, before);
		}
		before = step;
	}
	if (first == NULL)
		return;
	current->component = first->component;
	if (goes_back(left, current) || is_of_another(first, statement, touched, current))
		return;
	current->revision = first->revision;
}

/* How many revisions there are up to the newest known release, and how many seconds they take. */
int
revisions_left(const MigrationLeft *left, double *low, double *high)
{
	CurrentRevision all;
	const LeftStep *before = NULL;
	ListCell *cell;

	memset(&all, 0, sizeof(all));
	foreach (cell, left->steps)
	{
		if (before == NULL)
			all.revisions_after = 1;
		add_revision_after(&all, lfirst(cell), before ? before : lfirst(cell));
		before = lfirst(cell);
	}
	*low = all.low_after;
	*high = all.high_after;
	return all.revisions_after;
}
