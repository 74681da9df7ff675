/*
 * hold_note.c
 *		What is remembered of a DAG whose schedule is held: tables held_schedule and schedule_due.
 *
 * Rows of held_schedule are written only by who holds the DAG's row of "dag", so that nobody waits for
 * one, and only when they change. schedule_due has no key, for the same reason: to add to it waits for
 * nobody. Call all of this connected to SPI.
 */
#include "hold/hold_note.h"

#include "relation/relation.h"
#include "util/copy_text.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/same_text.h"

static void
run_as_owner(KeptPlan *plan, const char *sql, QueryArgs *args)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("held_schedule"));
	query_run_kept(plan, sql, args, 0);
	owner_scope_leave(&scope);
}

void
hold_note_read(const char *dag_id, HoldNote *note)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	*note = (HoldNote){0};
	arg_text(&args, dag_id);
	run_as_owner(&plan,
				 "SELECT removed_since IS NOT NULL, failure FROM airflow_pin.held_schedule"
				 " WHERE dag_id = $1",
				 &args);
	if (SPI_processed == 0)
		return;
	note->exists = true;
	note->removed = row_bool(0, 1);
	note->failure = row_text(0, 2);
}

/* Note what is true now, if it is not what was noted before. */
void
hold_note_write(const char *dag_id, const HoldNote *before, bool removed, const char *failure)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	if (removed == before->removed && same_text(failure, before->failure))
		return;
	arg_text(&args, dag_id);
	arg_datum(&args, BOOLOID, BoolGetDatum(removed));
	arg_text(&args, failure);
	run_as_owner(&plan,
				 "INSERT INTO airflow_pin.held_schedule AS h (dag_id, removed_since, failure,"
				 " failed_at) VALUES ($1, CASE WHEN $2 THEN clock_timestamp() END, $3,"
				 " CASE WHEN $3 IS NOT NULL THEN clock_timestamp() END)"
				 " ON CONFLICT (dag_id) DO UPDATE SET removed_since = CASE WHEN $2 THEN"
				 " coalesce(h.removed_since, excluded.removed_since) END,"
				 " failure = excluded.failure, failed_at = excluded.failed_at",
				 &args);
}

/* Was something missed because the row was locked? It is no longer missed then. */
bool
take_missed(const char *dag_id)
{
	static KeptPlan look;
	static KeptPlan take;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&look,
				 "SELECT FROM airflow_pin.schedule_due WHERE dag_id = $1 AND event = 'missed'"
				 " LIMIT 1",
				 &args);
	if (SPI_processed == 0)
		return false;
	run_as_owner(&take,
				 "DELETE FROM airflow_pin.schedule_due WHERE dag_id = $1 AND event = 'missed'",
				 &args);
	return true;
}

/* Have the DAG's row looked at when the transaction commits; or, with "missed", at its next write. */
void
add_due(const char *dag_id, const char *event)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_text(&args, event);
	run_as_owner(&plan, "INSERT INTO airflow_pin.schedule_due (dag_id, event) VALUES ($1, $2)",
				 &args);
}
