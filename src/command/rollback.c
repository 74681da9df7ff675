/*
 * rollback.c
 *		rollback()
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "airflow/tables.h"
#include "command/find_version.h"
#include "command/pin_check.h"
#include "command/pin_schedule.h"
#include "dag/commit.h"
#include "dag/version.h"
#include "pin/pin_store.h"
#include "util/arguments.h"

PG_FUNCTION_INFO_V1(airflow_pin_rollback);

/* The version before the pinned one, or the one before the latest where nothing is pinned. */
static void
require_version_before(const AirflowTables *tables, const char *dag_id, const PastPin *current,
					   DagVersion *version)
{
	DagVersion latest;
	int32 number;
	char *existing;

	require_latest(tables, dag_id, &latest);
	number = current ? current->version_number : latest.number;
	if (version_before(tables, dag_id, number, version))
		return;
	existing = version_numbers(tables, dag_id);
	ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
					errmsg("DAG \"%s\" has nothing to roll back to", dag_id),
					errdetail("There is no earlier pin and no version before %d.", number),
					errhint("Existing versions: %s.", existing)));
}

/*
 * The version before, locked, as it is when it is locked. It has the settings of the pin in force, or
 * those of a plain pin.
 */
static void
spec_of_version_before(const AirflowTables *tables, const PastPin *current, PinSpec *spec,
					   DagVersion *version)
{
	DagVersion unused;
	VersionCommit found;
	pg_uuid_t locked;

	require_version_before(tables, spec->dag_id, current, version);
	do
	{
		CHECK_FOR_INTERRUPTS();
		locked = version->id;
		if (!version_lock(tables, &locked))
			raise_no_such_version(tables, spec->dag_id, version->number);
		version_lock_content(tables, version);
		require_version_before(tables, spec->dag_id, current, version);
	} while (memcmp(&locked, &version->id, sizeof(locked)) != 0);
	if (current == NULL || !pin_store_spec(current->history_id, spec, &unused))
	{
		spec->settings = (PinSettings){.on_mismatch = "rewrite", .reruns = "airflow"};
		spec->expires_at = DT_NOEND;
		spec->valid_from = DT_NOBEGIN;
	}
	if (!numbered_commit(tables, spec->dag_id, version->number, &found))
		raise_no_such_version(tables, spec->dag_id, version->number);
	*version = found.version;
	spec->version = version;
	pinned_content_read(tables, version, &spec->content);
	spec->commit = found.commit;
	notice_commit(tables, spec, &found);
	notice_callbacks(spec, version->bundle_version);
}

/*
 * Is the version still what it was when it was pinned? What it was is nowhere else. What a migration
 * has made of it is pinned from now on.
 */
static void
check_unchanged(const AirflowTables *tables, PinSpec *spec, DagVersion *version)
{
	DagVersion now = *version;
	char *existing;

	version_lock_content(tables, &now);
	if (!pinned_content_changed(tables, &spec->content, &now))
	{
		notice_callbacks(spec, now.bundle_version);
		if (now.dag_hash != NULL && version->dag_hash != NULL &&
			strcmp(now.dag_hash, version->dag_hash) != 0)
		{
			version->dag_hash = now.dag_hash;
			pinned_content_read(tables, version, &spec->content);
		}
		return;
	}
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
	check_unchanged(tables, spec, version);
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
	choose_schedule_of_rollback(&tables, &spec);
	if (pin_store_scheduled(spec.dag_id))
		ereport(NOTICE, (errmsg("a move of the pin of DAG \"%s\" is still scheduled", spec.dag_id),
						 errhint("unpin() removes scheduled pins.")));
	result = pin_store_put(&spec, "rollback", has_past ? &past : NULL, restores);
	if (strcmp(spec.settings.on_mismatch, "observe") == 0)
		ereport(NOTICE, (errmsg("new runs of DAG \"%s\" get its latest version: the pin that rules "
								"now only observes",
								spec.dag_id),
						 errhint("To hold it: SELECT airflow_pin.pin(%s, %d, on_mismatch => "
								 "'rewrite');",
								 quote_literal_cstr(spec.dag_id), version.number)));
	SPI_finish();
	PG_RETURN_DATUM(result);
}
