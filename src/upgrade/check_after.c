/*
 * check_after.c
 *		Checks for the time after a migration: is it complete, does Airflow work, are pins in force?
 */
#include "check_after.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow/relations.h"
#include "airflow/revision.h"
#include "airflow/schema.h"
#include "attach/in_force.h"
#include "health/catalog_check.h"
#include "health/in_flight.h"
#include "health/table_query.h"
#include "plan/pending.h"
#include "preflight/checks.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* FAB comes after core, and what stops it (fab_report()) leaves core at the head of its release. */
static void
check_fab_complete(const Preflight *preflight, const Release *release)
{
	Finding finding = {.check_name = "revision", .object = FAB_VERSION_TABLE};
	int left;

	if (release->fab_revision == NULL ||
		!OidIsValid(airflow_relation_oid(preflight->schema, "ab_user")))
		return;
	left = list_length(pending_revisions(COMPONENT_FAB, preflight->schema, release));
	finding.value = database_revision(COMPONENT_FAB, preflight->schema);
	if (left == 0)
		finding.message = psprintf("FAB is as of Airflow %s, or later", release->name);
	else
	{
		finding.severity = SEVERITY_WARNING;
		finding.message = psprintf("FAB is not migrated; revisions left to that of the time of "
								   "Airflow %s: %d",
								   release->name, left);
		finding.hint = "Unless FAB is not in use any more, or its provider is an older one: run "
					   "\"airflow fab-db migrate\".";
	}
	findings_add(preflight->findings, &finding);
}

/* Is core at the head of a release? Between two of them a migration was not finished. */
static void
check_complete(const Preflight *preflight)
{
	const char *revision = database_revision(COMPONENT_CORE, preflight->schema);
	const Release *release = revision ? plan_release_at(revision) : NULL;
	Finding finding = {.check_name = "revision", .object = CORE_VERSION_TABLE, .value = revision};

	if (release != NULL)
		finding.message = psprintf("the head of Airflow %s", release->name);
	else
	{
		finding.severity = SEVERITY_WARNING;
		finding.message =
			"not the head of a release that is known: the migration is not finished, or "
			"Airflow is of another release";
		finding.hint = "Run \"airflow db check-migrations\" with the Airflow that is to run.";
	}
	findings_add(preflight->findings, &finding);
	if (release != NULL)
		check_fab_complete(preflight, release);
}

/* FAB creates these only when it first starts after a migration from Airflow 2. */
static void
check_fab_tables(const Preflight *preflight)
{
	static const char *const tables[] = {"ab_group", "ab_group_role", "ab_user_group"};

	if (!OidIsValid(airflow_relation_oid(preflight->schema, "ab_user")) ||
		!airflow_has_versions(preflight->schema))
		return;
	for (int i = 0; i < (int) lengthof(tables); i++)
		if (!OidIsValid(airflow_relation_oid(preflight->schema, tables[i])))
			findings_add(preflight->findings,
						 &(Finding){.check_name = "fab_tables",
									.severity = SEVERITY_WARNING,
									.object = tables[i],
									.message = psprintf("table %s is missing", tables[i]),
									.hint = "FAB makes it when it first starts: start the API "
											"server, or run \"airflow roles list\"."});
}

static const char *const alive_sql =
	"SELECT j.job_type, count(l.id) FROM unnest(ARRAY['SchedulerJob', 'TriggererJob',"
	" 'DagProcessorJob']) j (job_type) LEFT JOIN %s l ON l.job_type = j.job_type"
	" AND l.state = 'running' AND l.latest_heartbeat > clock_timestamp() - interval '" ALIVE "'"
	" GROUP BY j.job_type ORDER BY j.job_type";

static void
check_alive(const Preflight *preflight)
{
	if (!query_airflow_table(preflight->findings, preflight->schema, "heartbeats", "job",
							 alive_sql))
		return;
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		const char *type = row_required_text(row, 1);
		int64 alive = row_bigint(row, 2);
		Finding finding = {.check_name = "heartbeats", .object = type};

		finding.severity = alive > 0 ? SEVERITY_OK : SEVERITY_WARNING;
		finding.value = psprintf(INT64_FORMAT, alive);
		finding.threshold = "1";
		finding.message = alive > 0 ? psprintf("%s: " INT64_FORMAT " alive", type, alive)
									: psprintf("%s: none had a heartbeat within a minute", type);
		finding.hint = alive > 0 ? NULL : "Start it, or look at its log.";
		findings_add(preflight->findings, &finding);
	}
}

/* Unfinished work of before the migration has no version: Airflow runs it at the latest. */
static void
check_unversioned(const Preflight *preflight)
{
	Oid task_instance = airflow_relation_oid(preflight->schema, "task_instance");
	Finding finding = {.check_name = "unversioned_tasks", .threshold = "0"};
	int64 count;

	if (!OidIsValid(task_instance) ||
		get_attnum(task_instance, "dag_version_id") == InvalidAttrNumber ||
		!query_airflow_table(preflight->findings, preflight->schema, "unversioned_tasks",
							 "task_instance",
							 "SELECT count(*) FROM %s WHERE dag_version_id IS NULL AND state IN"
							 " (" UNFINISHED_TASK_STATES ")"))
		return;
	count = row_bigint(0, 1);
	finding.severity = count > 0 ? SEVERITY_WARNING : SEVERITY_OK;
	finding.value = psprintf(INT64_FORMAT, count);
	finding.message =
		psprintf(INT64_FORMAT " unfinished task instances have no DAG version", count);
	if (count > 0)
		finding.hint = "They were in flight when the migration began. Airflow runs them at the "
					   "latest version, if at all: look at them, and clear or fail them.";
	findings_add(preflight->findings, &finding);
}

static bool
has_pins(void)
{
	OwnerScope scope;
	bool found;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("SELECT FROM airflow_pin.pinned_version", NULL, true, 1);
	found = SPI_processed > 0;
	owner_scope_leave(&scope);
	return found;
}

static void
check_pins(const Preflight *preflight)
{
	const char *hint = NULL;
	const char *obstacle = pins_obstacle(preflight->schema, &hint);
	Finding finding = {.check_name = "pins", .message = "pins are in force"};

	if (obstacle != NULL)
	{
		finding.severity = has_pins() ? SEVERITY_CRITICAL : SEVERITY_INFO;
		finding.message = psprintf("pins are not in force: %s", obstacle);
		finding.hint = hint;
	}
	else if ((obstacle = pins_doubt(preflight->schema, &hint)) != NULL)
	{
		finding.severity = has_pins() ? SEVERITY_WARNING : SEVERITY_INFO;
		finding.message = psprintf("whether pins are in force is not certain: %s", obstacle);
		finding.hint = hint;
	}
	findings_add(preflight->findings, &finding);
}

static const CatalogCheck statistics_check = {
	"statistics",
	"SELECT 'warning', c.relname::text, s.changed::text, s.rows::text,"
	" format('%s has changed since its last ANALYZE, or has had none', c.relname),"
	" format('ANALYZE %I.%I;', n.nspname, c.relname)"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
	" LATERAL (SELECT greatest(c.reltuples, 0)::bigint AS rows,"
	"  pg_stat_get_mod_since_analyze(c.oid) AS changed, c.reltuples < 0 AS never) s"
	" WHERE c.oid = ANY ($1) AND c.relkind = 'r'"
	" AND (s.never AND s.changed > 1000 OR s.changed > 1000 + s.rows / 5) ORDER BY 2",
	"the statistics of all tables are fresh", "Plans are bad until then: ANALYZE it."};

static void
check_statistics(const Preflight *preflight)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	run_catalog_checks(preflight->findings, &statistics_check, 1, &args);
}

static const NamedCheck checks[] = {
	{"revision", check_complete},
	{"pins", check_pins},
	{"fab_tables", check_fab_tables},
	{"heartbeats", check_alive},
	{"unversioned_tasks", check_unversioned},
	{"schema", check_schema},
	{"statistics", check_statistics},
	{"leftovers", check_leftovers},
};

void
check_after_migration(const Preflight *preflight)
{
	run_health_checks(preflight, checks, lengthof(checks));
}
