/*
 * preflight.c
 *		preflight() and is_ready(): every check, and whether a migration may begin.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "plan/plan_steps.h"
#include "preflight/checks.h"
#include "rows/bad_rows.h"
#include "rows/fab.h"
#include "util/guarded.h"
#include "util/result_rows.h"

static const NamedCheck checks[] = {
	{"revision", check_revisions},
	{"stopped", check_stopped},
	{"in_flight", check_in_flight},
	{"callbacks", check_callbacks},
	{"lock_holders", check_locks},
	{"migration_lock", check_migration_lock},
	{"long_transactions", check_long_transactions},
	{"autovacuum", check_autovacuum},
	{"table_sizes", check_table_sizes},
	{"leftovers", check_leftovers},
	{"disk_space", check_disk_space},
	{"sequences", check_sequences},
	{"dependents", check_dependents},
	{"taken_names", check_names},
	{"needed_names", check_needed_names},
	{"catalog", check_catalog},
	{"schema", check_schema},
	{"fab_report", check_fab},
	{"bad_rows", check_bad_rows},
};

PG_FUNCTION_INFO_V1(airflow_pin_preflight);
PG_FUNCTION_INFO_V1(airflow_pin_is_ready);

/* GuardedCall: is there one schema with Airflow's tables? */
static void
find_schema(void *arg)
{
	Preflight *preflight = arg;
	Finding finding = {.check_name = "airflow_schema"};

	preflight->schema = airflow_schema();
	finding.object = preflight->schema;
	finding.message = "schema of Airflow's tables";
	(void) required_relation(preflight->schema, "dag_run");
	findings_add(preflight->findings, &finding);
}

/*
 * Run every check, or those up to the first critical finding; one that raises an error counts as
 * unknown.
 */
static FindingList *
run_checks(FunctionCallInfo fcinfo, bool until_critical)
{
	Preflight preflight = {.findings = findings_begin(), .until_critical = until_critical};
	ErrorData *error;

	if (!PG_ARGISNULL(0))
		preflight.target_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	preflight.target = plan_target(preflight.target_name, &preflight.target_known);
	error = guarded_call(find_schema, &preflight);
	if (error != NULL)
		add_error_finding(preflight.findings, "airflow_schema", SEVERITY_CRITICAL, error);
	if (findings_worst(preflight.findings) == SEVERITY_CRITICAL)
		return preflight.findings;
	run_health_checks(&preflight, checks, lengthof(checks));
	return preflight.findings;
}

/*
 * preflight(target)
 */
Datum
airflow_pin_preflight(PG_FUNCTION_ARGS)
{
	result_rows_begin(fcinfo);
	findings_emit(fcinfo, run_checks(fcinfo, false), true);
	return (Datum) 0;
}

/*
 * is_ready(target): of a target that is not known nothing can be promised.
 */
Datum
airflow_pin_is_ready(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		(void) plan_known_target(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_BOOL(findings_worst(run_checks(fcinfo, true)) < SEVERITY_CRITICAL);
}
