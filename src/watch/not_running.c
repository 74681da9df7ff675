/*
 * not_running.c
 *		What migration_status() says when nobody migrates.
 */
#include "migration_verdict.h"

#include "access/xlog.h"

#include "health/migration_lock.h"
#include "plan/plan_steps.h"

static void
tell_revision(StringInfo text, Component component, const char *name, const char *revision)
{
	if (revision == NULL)
		return;
	appendStringInfo(text, "%s%s revision %s", text->len > 0 ? ", " : "", name, revision);
	if (plan_position(component, revision) >= 0)
		appendStringInfo(text, " (%s)", plan_releases_with(component, revision));
}

/* Somebody else, of another role, who only has the lock that a migration begins with. */
static void
tell_other_holder(MigrationStatus *status)
{
	List *holders = migration_lock_holders();
	const LockHolder *holder;

	if (holders == NIL)
		return;
	holder = linitial(holders);
	next_clause(status);
	appendStringInfo(&status->evidence, "%s, %s, holds Airflow's advisory lock 1", holder->name,
					 holder->state);
	appendStringInfoString(&status->next_action, " " LOCK_NOT_AVAILABLE);
	status->end_sql = holder->end_sql;
	if (holder->end_sql != NULL)
		appendStringInfo(&status->next_action, " End it: %s", holder->end_sql);
}

/* Nobody migrates: at which revision the database is, and what is left. "schema" may be NULL. */
void
conclude_not_running(MigrationStatus *status, const char *schema)
{
	const MigrationLeft *left = status->left;
	double low;
	double high;
	int count = revisions_left(left, &low, &high);

	initStringInfo(&status->evidence);
	initStringInfo(&status->next_action);
	status->root_blocker = -1;
	status->verdict = VERDICT_NOT_RUNNING;
	if (schema == NULL)
		appendStringInfoString(&status->evidence, "this database has no Airflow tables");
	tell_revision(&status->evidence, COMPONENT_CORE, "core", left->core_revision);
	tell_revision(&status->evidence, COMPONENT_FAB, "FAB", left->fab_revision);
	if (left->problem != NULL)
	{
		next_clause(status);
		appendStringInfoString(&status->evidence, left->problem);
	}
	else if (schema != NULL)
	{
		next_clause(status);
		appendStringInfo(&status->evidence, "%d revision%s left up to Airflow %s", count,
						 count == 1 ? "" : "s", plan_release(NULL)->name);
		if (count > 0)
			appendStringInfo(&status->evidence, ", the next is %s",
							 ((const LeftStep *) linitial(left->steps))->revision);
	}
	if (RecoveryInProgress())
	{
		next_clause(status);
		appendStringInfoString(&status->evidence, "this is a standby: look on the primary, too");
	}
	if (count > 0)
		appendStringInfo(
			&status->next_action,
			"\"airflow db migrate\" goes on from there, and takes %s to %s up to Airflow %s.",
			duration_text(low), duration_text(high), plan_release(NULL)->name);
	else
		appendStringInfoString(&status->next_action, left->hint ? left->hint : "Nothing.");
	tell_other_holder(status);
}
