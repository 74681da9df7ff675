/*
 * pin_command.c
 *		pin()
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "airflow/tables.h"
#include "command/find_version.h"
#include "command/pin_check.h"
#include "dag/version.h"
#include "pin/pin.h"
#include "pin/pin_store.h"
#include "util/arguments.h"

PG_FUNCTION_INFO_V1(airflow_pin_pin);

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
