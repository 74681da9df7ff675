/*
 * pin_command.c
 *		pin()
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "airflow/tables.h"
#include "command/find_version.h"
#include "command/pin_check.h"
#include "command/pin_schedule.h"
#include "command/pin_settings.h"
#include "dag/commit.h"
#include "dag/version.h"
#include "pin/pin_store.h"
#include "util/arguments.h"

PG_FUNCTION_INFO_V1(airflow_pin_pin);
PG_FUNCTION_INFO_V1(airflow_pin_pin_1_1);

pg_noreturn static void
raise_not_parsed(const AirflowTables *tables, const char *dag_id, const char *commit)
{
	char *parsed = parsed_commits(tables, dag_id);

	ereport(ERROR, (errcode(ERRCODE_NO_DATA),
					errmsg("DAG \"%s\" is not parsed at commit \"%s\"", dag_id, commit),
					errdetail("%s", parsed),
					errhint("Wait for it: %s", await_commit_call(dag_id, commit))));
}

/* Was the version at the commit that is named with it? */
static void
check_commit(const AirflowTables *tables, const PinSpec *spec, const VersionCommit *found)
{
	int32 later = 0;
	CommitEvidence evidence = commit_evidence(tables, spec->dag_id, found, spec->commit, &later);

	if (evidence == COMMIT_OF_VERSION || evidence == COMMIT_OF_RUNS)
		return;
	if (evidence == COMMIT_NOT_PARSED)
		raise_not_parsed(tables, spec->dag_id, spec->commit);
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 errmsg(evidence == COMMIT_UNKNOWN
						? "DAG \"%s\" never had commit \"%s\" under version %d"
						: "DAG \"%s\" is not known to have had commit \"%s\" under version %d",
					spec->dag_id, spec->commit, found->version.number),
			 errdetail("%s", commit_problem(evidence, found, later)),
			 errhint("See column bundle_version of \"%s.dag_run\", or leave bundle_version "
					 "out.",
					 tables->schema)));
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

/* The arguments that are no settings. */
static void
spec_from_arguments(FunctionCallInfo fcinfo, PinSpec *spec)
{
	spec->dag_id = required_text(fcinfo, 0, "dag_id");
	spec->reason = text_argument(fcinfo, 3);
	spec->expires_at = PG_ARGISNULL(4) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(4);
	spec->valid_from = PG_ARGISNULL(7) || PG_GETARG_TIMESTAMPTZ(7) <= GetCurrentTimestamp()
						   ? DT_NOBEGIN
						   : PG_GETARG_TIMESTAMPTZ(7);
	spec->commit = text_argument(fcinfo, 8);
	check_times(spec);
}

/*
 * The version that the arguments name, with its commit, as it is now: that of the number, or the one
 * that was parsed at the commit, or the latest.
 */
static void
find_named_version(const AirflowTables *tables, FunctionCallInfo fcinfo, const PinSpec *spec,
				   VersionCommit *found)
{
	bool exists;
	DagVersion latest;

	if (!PG_ARGISNULL(1))
		exists = numbered_commit(tables, spec->dag_id, PG_GETARG_INT32(1), found);
	else if (spec->commit != NULL)
		exists = version_at_commit(tables, spec->dag_id, spec->commit, found);
	else
		exists = latest_commit(tables, spec->dag_id, found);
	if (exists)
		return;
	require_latest(tables, spec->dag_id, &latest);
	if (!PG_ARGISNULL(1))
		raise_no_such_version(tables, spec->dag_id, PG_GETARG_INT32(1));
	raise_not_parsed(tables, spec->dag_id, spec->commit);
}

/*
 * The version that is to be pinned, and its commit, locked. Which one that is, is only true once
 * nobody can change it any more: a parse may have been waited for, and have made another one.
 */
static void
find_version(const AirflowTables *tables, FunctionCallInfo fcinfo, PinSpec *spec,
			 VersionCommit *found)
{
	pg_uuid_t locked;

	find_named_version(tables, fcinfo, spec, found);
	do
	{
		CHECK_FOR_INTERRUPTS();
		locked = found->version.id;
		if (!version_lock(tables, &locked))
			raise_no_such_version(tables, spec->dag_id, found->version.number);
		version_lock_content(tables, &found->version);
		find_named_version(tables, fcinfo, spec, found);
	} while (memcmp(&locked, &found->version.id, sizeof(locked)) != 0);
	spec->version = &found->version;
	pinned_content_read(tables, spec->version, &spec->content);
	if (spec->commit != NULL && !PG_ARGISNULL(1))
		check_commit(tables, spec, found);
	if (spec->commit == NULL)
	{
		spec->commit = found->commit;
		notice_commit(tables, spec, found);
	}
}

/* A pin with an end takes the place of one without: what comes after it is not what was before. */
static void
tell_what_follows(const PinSpec *spec, const PastPin *replaced)
{
	char *ends_at;

	if (spec->expires_at == DT_NOEND || spec->valid_from != DT_NOBEGIN || !replaced->has_no_end ||
		pin_store_scheduled(spec->dag_id))
		return;
	ends_at = pstrdup(timestamptz_to_str(spec->expires_at));
	ereport(NOTICE,
			(errmsg("when this pin ends at %s, new runs of DAG \"%s\" get its latest version",
					ends_at, spec->dag_id),
			 errdetail("The pin to version %d, which it replaces, does not come back.",
					   replaced->version_number),
			 errhint("To go back to it then: SELECT airflow_pin.pin(%s, %d, valid_from => '%s');",
					 quote_literal_cstr(spec->dag_id), replaced->version_number, ends_at)));
}

/*
 * Pin a DAG: what is decided is decided while no other command can change its pins.
 */
static Datum
pin(FunctionCallInfo fcinfo, bool keep_settings)
{
	PinSpec spec = {0};
	AirflowTables tables;
	VersionCommit found;
	PastPin past;
	bool has_past;
	const char *event = "pin";
	char *kept = NULL;
	Datum result;

	spec_from_arguments(fcinfo, &spec);
	settings_from_arguments(fcinfo, &spec.settings, keep_settings);
	SPI_connect();
	require_in_force(&tables);
	pin_store_lock(spec.dag_id);
	pin_store_expire(spec.dag_id);
	if (keep_settings)
		kept = settings_keep(spec.dag_id, &spec.settings);
	find_version(&tables, fcinfo, &spec, &found);
	check_rewrite(&tables, &spec);
	choose_schedule(&tables, &spec);
	notice_callbacks(&spec, found.version.bundle_version);
	if (!pin_store_same(&spec, &result))
	{
		has_past = pin_store_last(spec.dag_id, &past);
		if (spec.valid_from != DT_NOBEGIN)
			event = "schedule";
		else if (has_past && past.in_force)
			event = "move";
		result = pin_store_put(&spec, event, has_past ? &past : NULL, 0);
		if (has_past && past.in_force)
			tell_what_follows(&spec, &past);
		if (kept != NULL)
			ereport(NOTICE,
					(errmsg("the pin of DAG \"%s\" keeps its settings: %s", spec.dag_id, kept),
					 errhint("Name a setting in pin() to change it.")));
	}
	SPI_finish();
	return result;
}

/*
 * pin() of 1.0, where an argument that is not given has a default of its own: (dag_id,
 * version_number, on_mismatch, reason, expires_at, run_types, allow_override, valid_from,
 * bundle_version, reruns)
 */
Datum
airflow_pin_pin(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(pin(fcinfo, false));
}

/*
 * pin(), where a setting that is not given stays what it is in the pin in force: the same arguments, and
 * schedule.
 */
Datum
airflow_pin_pin_1_1(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(pin(fcinfo, true));
}
