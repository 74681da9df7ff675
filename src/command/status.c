/*
 * status.c
 *		status(): are pins in force, and if not, why.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow/attached_triggers.h"
#include "airflow/migration.h"
#include "airflow/revision.h"
#include "airflow/schema.h"
#include "attach/in_force.h"
#include "pin/changed_pins.h"
#include "pin/pin.h"
#include "relation/relation.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

/* The report, and what was found on the way. */
typedef struct StatusReport
{
	FunctionCallInfo fcinfo;
	const char *schema;	  /* NULL: not to be told */
	const char *obstacle; /* why not */
	List *revisions;	  /* of the schema */
} StatusReport;

PG_FUNCTION_INFO_V1(airflow_pin_status);

static void
report(StatusReport *status, const char *item, const char *state, const char *detail)
{
	const char *texts[] = {item, state, detail};

	result_row_texts(status->fcinfo, lengthof(texts), texts);
}

/* Versions are "major.minor"; of one from elsewhere no more is read than an int holds. */
static bool
is_older(const char *version, const char *than)
{
	int major = 0;
	int minor = 0;
	int than_major = 0;
	int than_minor = 0;

	(void) sscanf(version, "%9d.%9d", &major, &minor);
	(void) sscanf(than, "%9d.%9d", &than_major, &than_minor);
	return major < than_major || (major == than_major && minor < than_minor);
}

/*
 * The library may be of another version than the SQL objects, and pins are in force all the same:
 * a session that began before an upgrade keeps the library it has loaded, and new sessions get the
 * new one before ALTER EXTENSION has been run.
 */
static const char *
library_detail(const char *installed)
{
	if (strcmp(installed, AIRFLOW_PIN_VERSION) == 0)
		return "version of the loaded library";
	if (is_older(installed, AIRFLOW_PIN_VERSION))
		return "newer than the extension: run ALTER EXTENSION airflow_pin UPDATE";
	return "older than the extension: reconnect; if it is still older then, install the library of "
		   "the extension's version";
}

static void
report_extension(StatusReport *status)
{
	const char *installed;

	query_run("SELECT extversion FROM pg_catalog.pg_extension"
			  " WHERE extname OPERATOR(pg_catalog.=) 'airflow_pin'",
			  NULL, true, 1);
	installed = row_text(0, 1);
	report(status, "extension", installed, "version of the SQL objects");
	report(status, "library", AIRFLOW_PIN_VERSION, library_detail(installed));
}

static Oid
dag_run_relation(const StatusReport *status)
{
	Oid namespace = get_namespace_oid(status->schema, true);

	return OidIsValid(namespace) ? get_relname_relid("dag_run", namespace) : InvalidOid;
}

/* GuardedCall: find the schema. */
static void
find_schema(void *arg)
{
	((StatusReport *) arg)->schema = airflow_schema();
}

static void
report_schema(StatusReport *status)
{
	ErrorData *error = guarded_call(find_schema, status);

	if (error != NULL)
	{
		report(status, "airflow_schema", "missing", error_text(error));
		status->obstacle = error->message;
	}
	else
		report(status, "airflow_schema", status->schema,
			   airflow_has_versions(status->schema)
				   ? "Airflow 3: has DAG versions"
				   : "has no DAG versions: pinning needs \"airflow db migrate\" to Airflow 3");
}

/* GuardedCall: read the revision of the schema, where there is a table for it. */
static void
find_revision(void *arg)
{
	StatusReport *status = arg;

	if (revisions_exist(status->schema, CORE_VERSION_TABLE))
		status->revisions = read_revisions(status->schema, CORE_VERSION_TABLE);
}

static void
report_revision(StatusReport *status)
{
	ErrorData *error = guarded_look(find_revision, status);

	if (error != NULL)
		report(status, "airflow_revision", "unknown", error_text(error));
	else if (status->revisions == NIL)
		report(status, "airflow_revision", "none",
			   "table " CORE_VERSION_TABLE " is empty or missing");
	else
		report(status, "airflow_revision", linitial(status->revisions),
			   CORE_VERSION_TABLE " of the Airflow core tables");
}

static void
report_trigger(StatusReport *status, const AttachedTrigger *trigger)
{
	Oid namespace = get_namespace_oid(status->schema, true);
	Oid relation =
		OidIsValid(namespace) ? get_relname_relid(trigger->table, namespace) : InvalidOid;
	char *item = psprintf("trigger %s on %s", trigger->function, trigger->table);
	char *name;

	switch (airflow_find_trigger(relation, trigger, &name))
	{
		case ATTACH_PRESENT:
			report(status, item, "present", psprintf("%s, %s", name, trigger->event));
			break;
		case ATTACH_DISABLED:
			report(status, item, "disabled",
				   psprintf("%s, or changed; SELECT airflow_pin.attach() mends it", name));
			break;
		case ATTACH_MISSING:
			report(status, item, "missing", "SELECT airflow_pin.attach() puts it there");
			break;
	}
}

static void
report_settings(StatusReport *status)
{
	report(status, "enabled", airflow_pin_enabled ? "on" : "off",
		   "airflow_pin.enabled in this session");
	report(status, "unpinned_dags",
		   airflow_pin_unpinned_dags == UNPINNED_REJECT ? "reject" : "allow",
		   airflow_pin_unpinned_dags == UNPINNED_REJECT
			   ? "runs of DAGs without a pin are refused"
			   : "DAGs without a pin run their latest version");
}

/* Are pinned versions kept as they are? */
static void
report_version_guard(StatusReport *status)
{
	const char *end_sql;
	const char *holder = migration_lock_holder(&end_sql);

	if (!airflow_pin_enabled)
		report(
			status, "version_guard", "off",
			"airflow_pin.enabled is off, and with it all of this extension that could be in "
			"Airflow's way: pinned versions may be written over or deleted meanwhile. Once it is "
			"on again, item changed_pins and the drift of pins() tell which were");
	else if (holder == NULL)
		report(status, "version_guard", "on", "pinned versions are kept as they are");
	else
		report(status, "version_guard", "on",
			   psprintf(
				   "pinned versions are kept as they are, but for what a migration does. The lock "
				   "of migrations is held by %s: if no migration is running, none can begin "
				   "before you run: %s",
				   holder, end_sql));
}

/* Pins whose version is not what was pinned any more. */
static void
report_changed_pins(StatusReport *status)
{
	ChangedPins changed = {.schema = status->schema};
	ErrorData *error;

	if (status->schema == NULL || !airflow_has_versions(status->schema))
		return;
	error = guarded_look(changed_pins_find, &changed);
	if (error != NULL)
		report(status, "changed_pins", "unknown", error_text(error));
	else
		report(
			status, "changed_pins", psprintf("%d", changed.count),
			changed.count == 0
				? "every pinned version is what it was when pinned"
				: psprintf("the pinned versions of %s were changed in place or deleted since they "
						   "were pinned, and runs of them fail: pin them again, or another version",
						   changed.dag_ids));
}

static void
report_pins(StatusReport *status)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("SELECT count(DISTINCT dag_id) FILTER (WHERE " PIN_RULES "),"
			  " count(*) FILTER (WHERE NOT " PIN_HAS_BEGUN "),"
			  " count(*) FILTER (WHERE expires_at <= clock_timestamp())"
			  " FROM airflow_pin.pinned_version",
			  NULL, true, 1);
	owner_scope_leave(&scope);
	report(status, "pins", row_text(0, 1),
		   psprintf("DAGs pinned now; %s scheduled and %s expired pins besides", row_text(0, 2),
					row_text(0, 3)));
}

/* What pins being in force means here. */
static const char *
meaning_in_force(const StatusReport *status)
{
	if (RecoveryInProgress())
		return "Pins are obeyed by every insert into dag_run, once this standby is promoted.";
	if (relation_is_subscribed(dag_run_relation(status)))
		return "Pins are obeyed by every insert into dag_run but those of the subscription, which "
			   "come as the publisher has them.";
	return "Pins are obeyed by every insert into dag_run.";
}

/* The answer. */
static void
report_in_force(StatusReport *status)
{
	const char *obstacle = status->obstacle;
	const char *state = "no";
	const char *hint = NULL;

	if (obstacle == NULL && !airflow_has_versions(status->schema))
		obstacle = "These are not the tables of Airflow 3: run \"airflow db migrate\" first.";
	if (obstacle == NULL)
		obstacle = pins_obstacle(status->schema, &hint);
	if (obstacle == NULL && (obstacle = pins_doubt(status->schema, &hint)) != NULL)
		state = "unknown";
	report(status, "in_force", obstacle ? state : "yes",
		   obstacle ? psprintf("%s%s%s", obstacle, hint ? " " : "", hint ? hint : "")
					: meaning_in_force(status));
}

/*
 * status()
 */
Datum
airflow_pin_status(PG_FUNCTION_ARGS)
{
	StatusReport status = {.fcinfo = fcinfo};

	result_rows_begin(fcinfo);
	SPI_connect();
	report_extension(&status);
	report_schema(&status);
	if (status.schema != NULL)
	{
		report_revision(&status);
		for (int i = 0; i < ATTACHED_TRIGGERS; i++)
			report_trigger(&status, &attached_triggers[i]);
	}
	report_settings(&status);
	report_version_guard(&status);
	report_pins(&status);
	report_changed_pins(&status);
	report_in_force(&status);
	SPI_finish();
	return (Datum) 0;
}
