/*
 * commands.c
 *		pin(), unpin(), rollback() and prune_decisions().
 */
#include "airflow_pin.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "airflow/catalog.h"
#include "airflow/removed_task.h"
#include "airflow/version.h"
#include "pin/commands.h"
#include "pin/in_force.h"
#include "pin/pin.h"
#include "pin/pin_store.h"
#include "pin/plan_check.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

PG_FUNCTION_INFO_V1(airflow_pin_pin);
PG_FUNCTION_INFO_V1(airflow_pin_unpin);
PG_FUNCTION_INFO_V1(airflow_pin_rollback);
PG_FUNCTION_INFO_V1(airflow_pin_prune_decisions);

/*
 * Airflow's tables, for a command that changes what is in force. A pin that would not be in force
 * is refused.
 */
static void
require_in_force(AirflowTables *tables)
{
	const char *obstacle;
	const char *hint;

	airflow_tables(tables, airflow_schema());
	obstacle = pins_obstacle(tables->dag_run, &hint);
	if (obstacle != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no pin would be in force"), errdetail("%s", obstacle),
						errhint("%s", hint)));
}

/* Raise the error for a DAG that dag does not have. */
void
raise_no_such_dag(const AirflowTables *tables, const char *dag_id)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("DAG \"%s\" does not exist", dag_id),
					errdetail("Table \"%s.dag\" has no row for it.", tables->schema),
					errhint("Check the spelling, and that the DAG has been parsed.")));
}

/* The latest version of a DAG; raises an error when there is none. */
void
require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest)
{
	DagSource source;

	if (!dag_source(tables, dag_id, &source))
		raise_no_such_dag(tables, dag_id);
	if (!version_latest(tables, dag_id, latest))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version", dag_id),
						errdetail("Table \"%s.dag_version\" has no row for it.", tables->schema),
						errhint("Wait until the DAG processor has parsed it.")));
}

static void
raise_no_such_version(const AirflowTables *tables, const char *dag_id, int32 number)
{
	char *existing = version_numbers(tables, dag_id);

	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version %d", dag_id, number),
			 errdetail("Existing versions: %s.", existing),
			 errhint("Pin one of these, or leave the number out for the latest.")));
}

/* The version of that number; raises an error that tells which exist. */
void
require_version(const AirflowTables *tables, const char *dag_id, int32 number, DagVersion *version)
{
	if (!version_by_number(tables, dag_id, number, version))
		raise_no_such_version(tables, dag_id, number);
}

static void
check_commit(const AirflowTables *tables, const PinSpec *spec)
{
	if (!version_had_commit(tables, spec->dag_id, spec->version, spec->commit))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("DAG \"%s\" never had commit \"%s\" under version %d", spec->dag_id,
						spec->commit, spec->version->number),
				 errdetail("Neither a run of that version nor the version itself has it."),
				 errhint("See column bundle_version of \"%s.dag_run\", or leave bundle_version "
						 "out.",
						 tables->schema)));
}

static void
raise_cannot_rewrite(const PinSpec *spec, char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("DAG \"%s\" cannot be held at version %d", spec->dag_id, spec->version->number),
			 errdetail("%s", detail), errhint("%s", hint)));
}

/*
 * Can rewritten runs of this version be right? Refuse the pin when they never can; warn when they
 * will only after Airflow itself has created a run of it.
 */
static void
check_rewrite(const AirflowTables *tables, const PinSpec *spec)
{
	const char *bundle = spec->version->bundle_name ? spec->version->bundle_name : "";
	DagSource source;
	DagVersion latest;
	char *removed_task;
	ErrorData *problem;

	if (strcmp(spec->on_mismatch, "rewrite") != 0)
		return;
	if (spec->commit == NULL)
		raise_cannot_rewrite(spec,
							 psprintf("Its bundle \"%s\" is not versioned: Airflow runs the files "
									  "on disk whatever the database says.",
									  bundle),
							 "Pin with on_mismatch => 'reject' as a deployment gate, or serve the "
							 "DAG from a versioned bundle such as Git.");
	if (!dag_source(tables, spec->dag_id, &source))
		raise_no_such_dag(tables, spec->dag_id);
	if (source.bundle_name == NULL || strcmp(source.bundle_name, bundle) != 0)
		raise_cannot_rewrite(spec,
							 psprintf("It is from bundle \"%s\", but the DAG is now in bundle "
									  "\"%s\", where workers would look for the commit.",
									  bundle, source.bundle_name ? source.bundle_name : ""),
							 "Pin a version of the bundle that the DAG is in now.");
	problem = plan_problem(tables, spec->dag_id, spec->version, false);
	if (problem != NULL)
		raise_cannot_rewrite(
			spec, psprintf("Its task instances cannot be computed: %s.", problem->message),
			plan_problem_hint(problem));
	require_latest(tables, spec->dag_id, &latest);
	if ((removed_task = removed_task_problem(tables, spec->version, &latest)) != NULL)
		raise_cannot_rewrite(
			spec, removed_task,
			"Pin a version of which the latest has all tasks, or upgrade Airflow.");

	problem = plan_problem(tables, spec->dag_id, spec->version, true);
	if (problem != NULL)
		ereport(WARNING,
				(errmsg("runs of DAG \"%s\" will fail until Airflow itself has created one of "
						"version %d",
						spec->dag_id, spec->version->number),
				 errdetail("%s", error_sentences(problem))));
}

static void
check_run_types(ArrayType *names)
{
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	if (count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("run_types is empty"),
						errdetail("Such a pin would hold nothing."),
						errhint("NULL stands for all run types.")));
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? pstrdup("NULL") : TextDatumGetCString(values[i]);

		if (nulls[i] || run_type_from_name(name, strlen(name)) == RUN_UNKNOWN)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("unknown run type \"%s\"", name),
							errdetail("Run types are %s.", run_type_names()),
							errhint("NULL stands for all run types.")));
	}
}

static void
check_times(const PinSpec *spec)
{
	if (spec->expires_at == DT_NOEND)
		return;
	if (spec->expires_at <= GetCurrentTimestamp())
		raise_expired(spec);
	if (spec->expires_at <= spec->valid_from)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("expires_at is not after valid_from"),
						errdetail("The pin would never be in force."),
						errhint("Give a later expires_at.")));
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static char *
required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be NULL", name),
				 errdetail("NULL has no meaning there."),
				 errhint("Leave an optional argument out for its default.")));
	return text_argument(fcinfo, number);
}

static void
check_reruns(const char *reruns)
{
	if (strcmp(reruns, "airflow") != 0 && strcmp(reruns, "pinned") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown reruns \"%s\"", reruns),
				 errdetail("It is one of airflow, pinned."),
				 errhint("\"airflow\" leaves re-runs of existing runs to Airflow.")));
}

/* The arguments of pin(), checked as far as they can be without Airflow's tables. */
static void
spec_from_arguments(FunctionCallInfo fcinfo, PinSpec *spec)
{
	OnMismatch on_mismatch;

	spec->dag_id = required_text(fcinfo, 0, "dag_id");
	spec->on_mismatch = required_text(fcinfo, 2, "on_mismatch");
	spec->reason = text_argument(fcinfo, 3);
	spec->expires_at = PG_ARGISNULL(4) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(4);
	spec->has_run_types = !PG_ARGISNULL(5);
	if (spec->has_run_types)
		spec->run_types = PG_GETARG_DATUM(5);
	spec->allow_override = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
	spec->valid_from = PG_ARGISNULL(7) || PG_GETARG_TIMESTAMPTZ(7) <= GetCurrentTimestamp()
						   ? DT_NOBEGIN
						   : PG_GETARG_TIMESTAMPTZ(7);
	spec->commit = text_argument(fcinfo, 8);
	spec->reruns = required_text(fcinfo, 9, "reruns");

	if (!on_mismatch_from_name(spec->on_mismatch, &on_mismatch))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown on_mismatch \"%s\"", spec->on_mismatch),
						errdetail("It is one of rewrite, reject, observe."),
						errhint("\"rewrite\" holds the DAG at the pinned version.")));
	check_reruns(spec->reruns);
	if (spec->has_run_types)
		check_run_types(PG_GETARG_ARRAYTYPE_P(5));
	check_times(spec);
}

/*
 * pin(dag_id, version_number, on_mismatch, reason, expires_at, run_types, allow_override,
 *	   valid_from, bundle_version, reruns)
 */
Datum
airflow_pin_pin(PG_FUNCTION_ARGS)
{
	PinSpec spec = {0};
	AirflowTables tables;
	DagVersion latest;
	DagVersion version;
	PastPin past;
	bool has_past;
	const char *event = "pin";
	Datum result;

	spec_from_arguments(fcinfo, &spec);
	SPI_connect();
	require_in_force(&tables);
	require_latest(&tables, spec.dag_id, &latest);
	version = latest;
	if (!PG_ARGISNULL(1))
		require_version(&tables, spec.dag_id, PG_GETARG_INT32(1), &version);
	if (!version_lock(&tables, &version.id))
		raise_no_such_version(&tables, spec.dag_id, version.number);
	version_lock_content(&tables, &version);
	spec.version = &version;
	if (spec.commit == NULL)
		spec.commit = version_commit(&tables, spec.dag_id, &version, &latest);
	else
		check_commit(&tables, &spec);
	check_rewrite(&tables, &spec);

	pin_store_lock(spec.dag_id);
	pin_store_expire(spec.dag_id);
	if (pin_store_same(&spec, &result))
	{
		SPI_finish();
		PG_RETURN_DATUM(result);
	}
	has_past = pin_store_last(spec.dag_id, &past);
	if (spec.valid_from != DT_NOBEGIN)
		event = "schedule";
	else if (has_past && past.in_force)
		event = "move";
	result = pin_store_put(&spec, event, has_past ? &past : NULL, 0);
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/* GuardedCall: is the DAG in Airflow's tables? */
static void
find_dag(void *arg)
{
	const char **dag_id = arg;
	AirflowTables tables;
	DagSource source;

	airflow_tables(&tables, airflow_schema());
	if (!dag_source(&tables, *dag_id, &source))
		raise_no_such_dag(&tables, *dag_id);
}

/* Raise an error for a DAG that Airflow has no row of, of a DAG that has no pin. */
static void
require_dag(const char *dag_id)
{
	ErrorData *error = guarded_call(find_dag, &dag_id);

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT &&
		error->sqlerrcode != ERRCODE_UNDEFINED_TABLE)
		ReThrowError(error);
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("DAG \"%s\" does not exist and has no pin", dag_id),
					errdetail("Neither Airflow's table dag nor pinned_version has a row for it."),
					errhint("SELECT * FROM airflow_pin.pins(); lists the pins.")));
}

/*
 * unpin(dag_id, reason)
 */
Datum
airflow_pin_unpin(PG_FUNCTION_ARGS)
{
	char *dag_id = required_text(fcinfo, 0, "dag_id");
	char *reason = text_argument(fcinfo, 1);
	Datum in_force;

	SPI_connect();
	pin_store_lock(dag_id);
	pin_store_expire(dag_id);
	if (!pin_store_remove(dag_id, reason, &in_force))
	{
		require_dag(dag_id);
		ereport(NOTICE, (errmsg("DAG \"%s\" is not pinned", dag_id)));
	}
	SPI_finish();
	if (in_force == (Datum) 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(in_force);
}

/*
 * The version before the pinned one, with that pin's settings; or the one before the latest where
 * nothing is pinned, with those of a plain pin.
 */
static void
spec_of_version_before(const AirflowTables *tables, const PastPin *current, PinSpec *spec,
					   DagVersion *version)
{
	DagVersion unused;
	DagVersion latest;
	int32 number;

	require_latest(tables, spec->dag_id, &latest);
	number = current ? current->version_number : latest.number;
	if (!version_before(tables, spec->dag_id, number, version))
	{
		char *existing = version_numbers(tables, spec->dag_id);

		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("DAG \"%s\" has nothing to roll back to", spec->dag_id),
						errdetail("There is no earlier pin and no version before %d.", number),
						errhint("Existing versions: %s.", existing)));
	}
	if (!version_lock(tables, &version->id))
		raise_no_such_version(tables, spec->dag_id, version->number);
	version_lock_content(tables, version);
	if (current == NULL || !pin_store_spec(current->history_id, spec, &unused))
	{
		spec->on_mismatch = "rewrite";
		spec->reruns = "airflow";
		spec->expires_at = DT_NOEND;
		spec->valid_from = DT_NOBEGIN;
	}
	spec->version = version;
	spec->commit = version_commit(tables, spec->dag_id, version, &latest);
}

/*
 * Is the version still what it was when it was pinned? What it was is nowhere else.
 */
static void
check_unchanged(const AirflowTables *tables, const PinSpec *spec)
{
	DagVersion now = *spec->version;
	char *existing;

	version_lock_content(tables, &now);
	if (spec->version->dag_hash == NULL || now.dag_hash == NULL ||
		strcmp(now.dag_hash, spec->version->dag_hash) == 0)
		return;
	existing = version_numbers(tables, spec->dag_id);
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("version %d of DAG \"%s\" was changed in place since it was pinned",
						   spec->version->number, spec->dag_id),
					errdetail("Existing versions: %s.", existing),
					errhint("Pin another version, or pin this one to accept what it is now.")));
}

/*
 * What to roll back to: the pin before the one in force, or the last one of a DAG that has none
 * now, or else the version before. Returns the event whose pin it is, or 0.
 */
static int64
spec_of_rollback(const AirflowTables *tables, const PastPin *past, PinSpec *spec,
				 DagVersion *version)
{
	int64 target = 0;

	if (past != NULL)
		target = past->in_force ? pin_store_before(past->history_id) : past->history_id;
	if (target == 0 || !pin_store_spec(target, spec, version))
	{
		spec_of_version_before(tables, past && past->in_force ? past : NULL, spec, version);
		return 0;
	}
	if (!version_lock(tables, &version->id))
	{
		char *existing = version_numbers(tables, spec->dag_id);

		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("version %d of DAG \"%s\", which was pinned before, no longer "
						"exists",
						version->number, spec->dag_id),
				 errdetail("Existing versions: %s.", existing), errhint("Pin one of these.")));
	}
	check_unchanged(tables, spec);
	return target;
}

/*
 * rollback(dag_id, reason)
 */
Datum
airflow_pin_rollback(PG_FUNCTION_ARGS)
{
	PinSpec spec = {.dag_id = required_text(fcinfo, 0, "dag_id")};
	AirflowTables tables;
	DagVersion version = {0};
	PastPin past;
	bool has_past;
	int64 restores;
	Datum result;

	SPI_connect();
	require_in_force(&tables);
	pin_store_lock(spec.dag_id);
	pin_store_expire(spec.dag_id);
	has_past = pin_store_last(spec.dag_id, &past);
	restores = spec_of_rollback(&tables, has_past ? &past : NULL, &spec, &version);
	spec.reason = text_argument(fcinfo, 1);
	check_rewrite(&tables, &spec);
	if (pin_store_scheduled(spec.dag_id))
		ereport(NOTICE, (errmsg("a move of the pin of DAG \"%s\" is still scheduled", spec.dag_id),
						 errhint("unpin() removes scheduled pins.")));
	result = pin_store_put(&spec, "rollback", has_past ? &past : NULL, restores);
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/*
 * prune_decisions(older_than interval)
 */
Datum
airflow_pin_prune_decisions(PG_FUNCTION_ARGS)
{
	QueryArgs args = {0};
	OwnerScope scope;
	int64 removed;

	SPI_connect();
	arg_datum(&args, INTERVALOID, PG_GETARG_DATUM(0));
	owner_scope_enter(&scope, pin_relation("run_decision"));
	query_run("SELECT $1 < interval '0'", &args, true, 1);
	if (row_bool(0, 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("older_than must not be negative"),
						errhint("Give an age, such as '90 days'.")));
	query_run("DELETE FROM airflow_pin.run_decision WHERE decided_at < clock_timestamp() - $1",
			  &args, false, 0);
	removed = SPI_processed;
	owner_scope_leave(&scope);
	pin_store_expire_all();
	SPI_finish();
	PG_RETURN_INT64(removed);
}
