/*
 * preflight.c
 *		preflight() and is_ready(): every check, and whether a migration may begin.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "airflow/catalog.h"
#include "health/checks.h"
#include "health/relations.h"
#include "util/guarded.h"
#include "util/result_rows.h"

/* One line a check; the name is what a check that fails is reported as. */
static const struct
{
	const char *name;
	HealthCheck check;
} checks[] = {
	{"in_flight", check_in_flight},
	{"lock_holders", check_locks},
	{"long_transactions", check_long_transactions},
	{"autovacuum", check_autovacuum},
	{"table_sizes", check_table_sizes},
	{"disk_space", check_disk_space},
	{"catalog", check_catalog},
	{"fab_report", check_fab},
	{"bad_rows", check_bad_rows},
};

typedef struct CheckCall
{
	HealthCheck check;
	FindingList *findings;
} CheckCall;

PG_FUNCTION_INFO_V1(preflight);
PG_FUNCTION_INFO_V1(is_ready);

/* GuardedCall */
static void
run_check(void *arg)
{
	const CheckCall *call = arg;

	SPI_connect();
	call->check(call->findings);
	SPI_finish();
}

static void
add_error(FindingList *findings, const char *check_name, Severity severity, const ErrorData *error)
{
	Finding finding = {.check_name = check_name, .severity = severity};

	finding.message =
		error->detail ? psprintf("%s: %s", error->message, error->detail) : error->message;
	finding.hint = error->hint;
	findings_add(findings, &finding);
}

/* GuardedCall: is there one schema with Airflow's tables? */
static void
find_schema(void *arg)
{
	FindingList *findings = arg;
	Finding finding = {.check_name = "airflow_schema", .object = airflow_schema()};

	finding.message = "schema of Airflow's tables";
	if (!OidIsValid(airflow_relation_oid(finding.object, "dag_run")))
	{
		finding.severity = SEVERITY_CRITICAL;
		finding.message = psprintf("schema \"%s\" has no Airflow tables", finding.object);
		finding.hint = "Mend airflow_pin.airflow_schema.";
	}
	findings_add(findings, &finding);
}

/* Airflow's version numbers; the checks that are here hold for every one. */
static void
require_version(const char *target)
{
	int major;
	int minor;
	char rest;
	int read = sscanf(target, "%d.%d%c", &major, &minor, &rest);

	if (read < 2 || (read == 3 && rest != '.'))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a version of Airflow", target),
						errhint("Name it like 3.3.2.")));
}

/* Run every check; one that raises an error counts as unknown. */
static FindingList *
run_checks(FunctionCallInfo fcinfo)
{
	FindingList *findings = findings_begin();
	ErrorData *error;

	if (!PG_ARGISNULL(0))
		require_version(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	error = guarded_call(find_schema, findings);
	if (error != NULL)
		add_error(findings, "airflow_schema", SEVERITY_CRITICAL, error);
	if (findings_worst(findings) == SEVERITY_CRITICAL)
		return findings;
	for (int i = 0; i < (int) lengthof(checks); i++)
	{
		CheckCall call = {checks[i].check, findings};

		error = guarded_call(run_check, &call);
		if (error != NULL)
			add_error(findings, checks[i].name, SEVERITY_UNKNOWN, error);
	}
	return findings;
}

/*
 * preflight(target)
 */
Datum
preflight(PG_FUNCTION_ARGS)
{
	result_rows_begin(fcinfo);
	findings_emit(fcinfo, run_checks(fcinfo), true);
	return (Datum) 0;
}

/*
 * is_ready(target)
 */
Datum
is_ready(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(findings_worst(run_checks(fcinfo)) < SEVERITY_CRITICAL);
}
