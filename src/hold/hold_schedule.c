/*
 * hold_schedule.c
 *		The trigger on "dag": a row whose pin holds the schedule gets what follows from the pinned version.
 *
 * Every write of every row comes through here (each parse writes all of its DAGs), so the way of a row
 * that no such pin holds is a look into the cache of pins.
 *
 * Nothing is raised into Airflow's transactions, and nothing waited for in them. What goes wrong leaves
 * the row as Airflow wrote it: the schedule is the latest version's until the next write, and the server
 * log, held_schedule and pins() say so.
 */
#include "hold/hold_schedule.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "airflow/migration.h"
#include "dag/version.h"
#include "hold/hold_note.h"
#include "hold/version_schedule.h"
#include "pin/cache.h"
#include "pin/pin.h"
#include "pin/pinned_content.h"
#include "relation/try_lock.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"

/* A write of a row. */
typedef struct HoldCall
{
	TriggerData *trigger;
	const char *dag_id;
	size_t length;
	const PinList *pins;
	const Pin *pin; /* NULL: the row is given back to the latest version */
	AirflowTables tables;
	bool settling;
	SettleReason reason;
	MemoryContext context;
	HeapTuple row; /* as it is to be written; in "context" */
	ErrorData *error;
} HoldCall;

PG_FUNCTION_INFO_V1(airflow_pin_hold_schedule);

/* The row that settle_row() has this trigger look at. */
static const char *settled_dag;
static SettleReason settle_reason;

/*
 * Where dag_id is in "dag". Looked up by name, and only once for each table: the name is compared
 * each time, so that nothing has to be forgotten when the table changes.
 */
static AttrNumber
dag_id_column(TupleDesc desc)
{
	static AttrNumber known = 1;

	if (known <= 0 || known > desc->natts || TupleDescAttr(desc, known - 1)->attisdropped ||
		strcmp(NameStr(TupleDescAttr(desc, known - 1)->attname), "dag_id") != 0)
		known = SPI_fnumber(desc, "dag_id");
	return known > 0 ? known : InvalidAttrNumber;
}

/* GuardedCall: read the DAG's pins. */
static void
fill_cache(void *arg)
{
	HoldCall *call = arg;

	call->pins = pin_cache_fill(call->dag_id, call->length);
}

/* The pinned version; raises an error when it is not what was pinned. */
static void
require_pinned(const HoldCall *call, DagVersion *version)
{
	const Pin *pin = call->pin;

	if (!version_by_id(&call->tables, &pin->dag_version_id, version))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND), errmsg("version %d of DAG \"%s\" no longer exists",
														pin->version_number, call->dag_id)));
	if (version->dag_hash == NULL || pinned_content_changed(&call->tables, &pin->content, version))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("version %d of DAG \"%s\" was changed in place since it was pinned",
							   pin->version_number, call->dag_id)));
}

/* Is the bundle that the row names one that Airflow still parses? */
static bool
bundle_is_active(const HoldCall *call, HeapTuple row)
{
	Oid bundles = get_relname_relid("dag_bundle", get_rel_namespace(call->tables.dag));
	TupleDesc desc = RelationGetDescr(call->trigger->tg_relation);
	int number = SPI_fnumber(desc, "bundle_name");
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;

	if (number <= 0 || !OidIsValid(bundles) || !try_lock_for_reading(bundles))
		return false;
	arg_text(&args, SPI_getvalue(row, desc, number));
	owner_scope_enter_foreign(&scope, call->tables.dag);
	query_run_kept(&plan,
				   psprintf("SELECT FROM %s.dag_bundle WHERE name = $1 AND active",
							call->tables.quoted_schema),
				   &args, 1);
	owner_scope_leave(&scope);
	return SPI_processed > 0;
}

/*
 * A later commit that cannot be parsed, or has no such DAG any more, does not stop a DAG that runs at an
 * earlier one. "removed": does Airflow say the latter?
 */
static HeapTuple
hold_flags(const HoldCall *call, HeapTuple row, bool *removed)
{
	const bool broken = flag_is_set(call->trigger, row, "has_import_errors");
	const bool stale = flag_is_set(call->trigger, row, "is_stale");

	if ((!broken && !stale) || !bundle_is_active(call, row))
		return row;
	*removed |= stale && !broken;
	row = set_flag(call->trigger, row, "has_import_errors", false);
	return set_flag(call->trigger, row, "is_stale", false);
}

/*
 * Is the next run to be computed anew? It is when Airflow has computed one, or when something is new. From 3.2
 * on a run that ends does not change it.
 */
static bool
computes_anew(const HoldCall *call, bool is_parse)
{
	if (is_parse || take_missed(call->dag_id) || next_run_changes(call->trigger))
		return true;
	return call->settling && (call->reason != SETTLE_RUN || call->tables.minor < AIRFLOW_3_2);
}

static void
raise_not_computable(const HoldCall *call, const VersionSchedule *schedule)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("the schedule of version %d of DAG \"%s\" cannot be computed",
						   call->pin->version_number, call->dag_id),
					errdetail("%s", schedule->why)));
}

/* Make the row what follows from the pinned version. */
static void
hold_pinned(HoldCall *call)
{
	HeapTuple row = call->trigger->tg_newtuple;
	const bool is_parse = column_changes(call->trigger, "last_parsed_time");
	const VersionSchedule *schedule;
	DagVersion version;
	HoldNote note;
	bool removed;

	require_pinned(call, &version);
	schedule = version_schedule(&call->tables, &version);
	if (schedule->why != NULL)
		raise_not_computable(call, schedule);
	hold_note_read(call->dag_id, &note);
	removed = note.removed && !is_parse;
	row = hold_flags(call, row, &removed);
	row = hold_row(call->trigger, &call->tables, call->dag_id, schedule,
				   computes_anew(call, is_parse), row);
	hold_note_write(call->dag_id, &note, removed, NULL);
	call->row = row;
}

/*
 * The pin has ended: the row is what follows from the latest version. Where that cannot be computed there
 * is no next run until the next parse, which says when it is.
 */
static void
give_back(HoldCall *call)
{
	const VersionSchedule *schedule = NULL;
	DagVersion latest;
	HoldNote note;

	if (version_latest(&call->tables, call->dag_id, &latest))
		schedule = version_schedule(&call->tables, &latest);
	if (schedule == NULL || schedule->why != NULL)
		call->row = clear_next_run(call->trigger, call->trigger->tg_newtuple);
	else
		call->row = hold_row(call->trigger, &call->tables, call->dag_id, schedule, true,
							 call->trigger->tg_newtuple);
	(void) take_missed(call->dag_id);
	hold_note_read(call->dag_id, &note);
	hold_note_write(call->dag_id, &note, false, NULL);
}

/* GuardedCall */
static void
hold(void *arg)
{
	HoldCall *call = arg;
	MemoryContext saved;

	/* what a migration makes of the row is the migration's; the next parse sets it right */
	if (!call->settling && transaction_migrates(RelationGetRelid(call->trigger->tg_relation)))
	{
		call->row = call->trigger->tg_newtuple;
		return;
	}
	SPI_connect();
	airflow_tables_at_once(&call->tables,
						   get_namespace_name(RelationGetNamespace(call->trigger->tg_relation)));
	if (call->pin != NULL)
		hold_pinned(call);
	else
		give_back(call);
	if (call->row != call->trigger->tg_newtuple)
	{
		saved = MemoryContextSwitchTo(call->context);
		call->row = heap_copytuple(call->row);
		MemoryContextSwitchTo(saved);
	}
	SPI_finish();
}

/* GuardedCall: note that the schedule is not held. */
static void
note_failure(void *arg)
{
	HoldCall *call = arg;
	HoldNote note;

	SPI_connect();
	hold_note_read(call->dag_id, &note);
	hold_note_write(call->dag_id, &note, note.removed, error_sentences(call->error));
	SPI_finish();
}

static void
report_failure(HoldCall *call)
{
	ereport(LOG, (errmsg("airflow_pin: could not hold the schedule of DAG \"%s\"", call->dag_id),
				  errdetail_log("%s", error_sentences(call->error)),
				  errhint("Its next run is the latest version's until the row of dag is written "
						  "again."),
				  errhidestmt(true), errhidecontext(true)));
	(void) guarded_call(note_failure, call);
}

/* A row that the trigger was asked to look at is written only where that changes it. */
static Datum
written_row(const HoldCall *call)
{
	if (call->settling && call->row == call->trigger->tg_newtuple)
		return PointerGetDatum(NULL);
	return PointerGetDatum(call->row);
}

/* The long way: the DAG is not in the cache, or has pins, or is settled. */
static pg_noinline Datum
hold_slowly(HoldCall *call)
{
	PinList *pins;

	call->row = call->trigger->tg_newtuple;
	call->context = CurrentMemoryContext;
	call->dag_id = pnstrdup(call->dag_id, call->length);
	call->settling = settled_dag != NULL && strcmp(settled_dag, call->dag_id) == 0;
	call->reason = settle_reason;
	if (call->pins == PINS_UNKNOWN)
		call->error = guarded_call(fill_cache, call);
	if (call->error != NULL)
	{
		report_failure(call);
		return written_row(call);
	}
	pins = pins_copy(call->pins, CurrentMemoryContext);
	call->pin = pins_ruling(pins, GetCurrentTimestamp());
	if (call->pin != NULL && !call->pin->hold_schedule)
		call->pin = NULL;
	if (call->pin == NULL && !(call->settling && call->reason == SETTLE_GIVE_BACK))
		return written_row(call);
	call->error = guarded_call(hold, call);
	if (call->error != NULL)
	{
		call->row = call->trigger->tg_newtuple;
		report_failure(call);
	}
	return written_row(call);
}

/*
 * BEFORE UPDATE FOR EACH ROW on dag. Its name comes before that of throttle()'s trigger, so that this
 * one has the last word on max_active_runs.
 */
Datum
airflow_pin_hold_schedule(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_update_row(fcinfo, "hold_schedule");
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	AttrNumber column = dag_id_column(desc);
	HoldCall call = {.trigger = trigger};
	bool isnull = true;
	Datum value;
	text *dag_id;

	if (!airflow_pin_enabled || column == InvalidAttrNumber)
		return PointerGetDatum(trigger->tg_newtuple);
	value = heap_getattr(trigger->tg_newtuple, column, desc, &isnull);
	if (isnull)
		return PointerGetDatum(trigger->tg_newtuple);
	dag_id = DatumGetTextPP(value); /* rows of dag can be long, and their values compressed */
	call.dag_id = VARDATA_ANY(dag_id);
	call.length = VARSIZE_ANY_EXHDR(dag_id);
	call.pins = pin_cache_get(call.dag_id, call.length);
	if (likely(call.pins == NULL && settled_dag == NULL))
		return PointerGetDatum(trigger->tg_newtuple);
	return hold_slowly(&call);
}

/*
 * Have the trigger look at the DAG's row, if that is not locked. The caller is connected to SPI, and
 * at the end of its transaction.
 */
void
settle_row(const AirflowTables *tables, const char *dag_id, SettleReason reason)
{
	static KeptPlan lock;
	static KeptPlan write;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, dag_id);
	owner_scope_enter_foreign(&scope, tables->dag);
	query_run_kept(&lock,
				   psprintf("SELECT FROM %s.dag WHERE dag_id = $1 FOR NO KEY UPDATE SKIP LOCKED",
							tables->quoted_schema),
				   &args, 1);
	if (SPI_processed > 0)
	{
		settled_dag = dag_id;
		settle_reason = reason;
		PG_TRY();
		{
			/* not dag_id: that would take a lock that foreign keys wait for */
			query_run_kept(&write,
						   psprintf("UPDATE %s.dag SET is_paused = is_paused WHERE dag_id = $1",
									tables->quoted_schema),
						   &args, 0);
		}
		PG_FINALLY();
		{
			settled_dag = NULL;
		}
		PG_END_TRY();
		owner_scope_leave(&scope);
		return;
	}
	owner_scope_leave(&scope);
	if (reason != SETTLE_GIVE_BACK)
		add_due(dag_id, "missed");
}
