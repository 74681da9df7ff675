/*
 * rerun.c
 *		Hold re-runs of existing runs, for pins with reruns => 'pinned'.
 *
 * Clearing a run sets it back to queued, and with "latest version" moves it to another version and
 * commit (airflow/models/taskinstance.py: clear_task_instances). Its task instances then are of two
 * versions, and what they were before is gone, so such a re-run cannot be turned into one of the
 * pinned version: it is refused, and nothing of it is changed. Where only the commit would move,
 * the run keeps the one that it has. Only somebody who asks for it, through the API, the CLI or a
 * TriggerDagRunOperator, clears a run; no scheduler does.
 */
#include "rerun.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "airflow/dag_run_columns.h"
#include "airflow/migration.h"
#include "hold/settle.h"
#include "pin/cache.h"
#include "pin/pin.h"
#include "settings.h"

/* The update of a run. */
typedef struct RunUpdate
{
	TriggerData *trigger;
	TupleDesc desc;
	const DagRunColumns *columns;
} RunUpdate;

/* Is the column the same before and after, byte by byte? */
static bool
is_unchanged(const RunUpdate *update, AttrNumber column)
{
	Form_pg_attribute attribute = TupleDescAttr(update->desc, column - 1);
	bool no_old;
	bool no_new;
	Datum old = heap_getattr(update->trigger->tg_trigtuple, column, update->desc, &no_old);
	Datum new = heap_getattr(update->trigger->tg_newtuple, column, update->desc, &no_new);

	if (no_old || no_new)
		return no_old && no_new;
	return datum_image_eq(old, new, attribute->attbyval, attribute->attlen);
}

static char *
column_text(const RunUpdate *update, HeapTuple tuple, AttrNumber column)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, update->desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
state_is(const char *state, const char *one, const char *other)
{
	return state != NULL && (strcmp(state, one) == 0 || strcmp(state, other) == 0);
}

/* The foreign key empties the column when the version is deleted, which is not a re-run. */
static bool
version_is_deleted(const RunUpdate *update)
{
	AttrNumber version = update->columns->created_dag_version_id;

	return !heap_attisnull(update->trigger->tg_trigtuple, version, update->desc) &&
		   heap_attisnull(update->trigger->tg_newtuple, version, update->desc);
}

/*
 * Does the update make the run run again, or at another version? Scheduling changes neither, and
 * pays for no more than the comparison of three columns.
 */
static bool
is_rerun(const RunUpdate *update, bool same_state)
{
	const DagRunColumns *columns = update->columns;
	bool same_version = is_unchanged(update, columns->created_dag_version_id) &&
						is_unchanged(update, columns->bundle_version);
	char *after;

	if (same_version && same_state)
		return false;
	after = column_text(update, update->trigger->tg_newtuple, columns->state);
	if (!state_is(after, "queued", "running") || version_is_deleted(update))
		return false;
	return !same_version ||
		   state_is(column_text(update, update->trigger->tg_trigtuple, columns->state), "success",
					"failed");
}

/* The pin that holds re-runs of this DAG and run type now, or NULL. */
static const Pin *
holding_pin(const RunUpdate *update, const char *dag_id, const char *run_type)
{
	const Pin *pin = pins_ruling(pin_cache_read(dag_id), GetCurrentTimestamp());

	if (pin == NULL || !pin->hold_reruns || pin->on_mismatch == ON_MISMATCH_OBSERVE ||
		(pin->run_types & run_type_from_name(run_type, strlen(run_type))) == 0)
		return NULL;
	return transaction_migrates(RelationGetRelid(update->trigger->tg_relation)) ? NULL : pin;
}

/* Is the run, as it was or as it shall be, at the pinned version and commit? */
static bool
is_at_pin(const RunUpdate *update, HeapTuple tuple, const Pin *pin)
{
	char *commit = column_text(update, tuple, update->columns->bundle_version);
	bool isnull;
	Datum version =
		heap_getattr(tuple, update->columns->created_dag_version_id, update->desc, &isnull);

	if (isnull || memcmp(DatumGetUUIDP(version), &pin->dag_version_id, sizeof(pg_uuid_t)) != 0)
		return false;
	if (commit == NULL || pin->bundle_version == NULL)
		return commit == pin->bundle_version;
	return strcmp(commit, pin->bundle_version) == 0;
}

/*
 * Does the update move a run of the pin to another commit, and to no other version? So does Airflow
 * 3.0 with each run that is cleared, and "latest version" where a commit has made no version. The
 * task instances are the same then.
 */
static bool
moves_commit_only(const RunUpdate *update, const Pin *pin)
{
	return is_at_pin(update, update->trigger->tg_trigtuple, pin) &&
		   is_unchanged(update, update->columns->created_dag_version_id);
}

/* The new row with the commit that the run had. */
static HeapTuple
hold_commit(const RunUpdate *update)
{
	int column = update->columns->bundle_version;
	bool isnull;
	Datum commit = heap_getattr(update->trigger->tg_trigtuple, column, update->desc, &isnull);

	return heap_modify_tuple_by_cols(update->trigger->tg_newtuple, update->desc, 1, &column,
									 &commit, &isnull);
}

/*
 * What a BEFORE UPDATE FOR EACH ROW trigger on dag_run returns: the new row, or, where only its
 * commit would leave the pin, a copy of it with the commit that the run had. Raises P0001 for what
 * a pin does not allow.
 */
HeapTuple
hold_rerun(TriggerData *trigger)
{
	DagRunColumns columns;
	RunUpdate update = {.trigger = trigger, .desc = RelationGetDescr(trigger->tg_relation)};
	const Pin *pin;
	char *dag_id;
	char *run_id;
	char *run_type;
	bool same_state;

	update.columns = dag_run_columns(RelationGetRelid(trigger->tg_relation));
	if (!airflow_pin_enabled || update.columns->missing != NULL)
		return trigger->tg_newtuple;
	same_state = is_unchanged(&update, update.columns->state);
	columns = *update.columns; /* SQL may run, and with it invalidations be received */
	update.columns = &columns;
	if (!same_state)
		settle_after_update(&columns, update.desc, trigger->tg_trigtuple, trigger->tg_newtuple);
	if (!is_rerun(&update, same_state))
		return trigger->tg_newtuple;

	dag_id = column_text(&update, trigger->tg_newtuple, columns.dag_id);
	run_id = column_text(&update, trigger->tg_newtuple, columns.run_id);
	run_type = column_text(&update, trigger->tg_newtuple, columns.run_type);
	if (dag_id == NULL || run_id == NULL || run_type == NULL)
		return trigger->tg_newtuple;
	pin = holding_pin(&update, dag_id, run_type);
	if (pin == NULL || is_at_pin(&update, trigger->tg_newtuple, pin))
		return trigger->tg_newtuple;
	if (moves_commit_only(&update, pin))
		return hold_commit(&update);

	ereport(ERROR,
			(errcode(ERRCODE_RAISE_EXCEPTION),
			 errmsg("airflow_pin refused to run \"%s\" of DAG \"%s\" again", run_id, dag_id),
			 errdetail("The DAG is pinned to version %d%s%s with reruns => 'pinned', and the "
					   "run would be of another version or commit.",
					   pin->version_number, pin->bundle_version ? " at commit " : "",
					   pin->bundle_version ? pin->bundle_version : ""),
			 errhint("Clear a run of the pinned version without \"latest version\", or let "
					 "Airflow have its way: SELECT airflow_pin.pin(%s, %d, reruns => "
					 "'airflow');",
					 quote_literal_cstr(dag_id), pin->version_number)));
}
