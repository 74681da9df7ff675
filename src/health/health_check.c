/*
 * health_check.c
 *		Run checks so that one that raises an error does not keep the others from being made.
 */
#include "health_check.h"

#include "executor/spi.h"

#include "util/guarded.h"
#include "util/query.h"

typedef struct CheckCall
{
	HealthCheck check;
	const Preflight *preflight;
} CheckCall;

/* GuardedCall */
static void
run_check(void *arg)
{
	const CheckCall *call = arg;

	SPI_connect();
	call->check(call->preflight);
	SPI_finish();
}

void
add_error_finding(FindingList *findings, const char *check_name, Severity severity,
				  const ErrorData *error)
{
	Finding finding = {.check_name = check_name, .severity = severity};

	finding.message = error_text(error);
	finding.hint = error->hint;
	findings_add(findings, &finding);
}

/*
 * May the caller see what other roles' sessions do? pg_stat_activity and its kin hide it from others
 * without an error, so that a finding of the check has to say it.
 */
bool
sessions_visible(FindingList *findings, const char *check_name)
{
	Finding finding = {.check_name = check_name, .severity = SEVERITY_UNKNOWN};

	query_run("SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')", NULL, true, 1);
	if (row_bool(0, 1))
		return true;
	finding.message = "sessions of other roles are not visible";
	finding.hint = "GRANT pg_monitor to the role that checks.";
	findings_add(findings, &finding);
	return false;
}

/*
 * Run every check, each in a subtransaction of its own, with which the locks go that it took:
 * nobody has to wait until all checks are made, or the caller's transaction ends. One that raises
 * an error counts as unknown.
 */
void
run_health_checks(const Preflight *preflight, const NamedCheck *checks, int count)
{
	for (int i = 0; i < count; i++)
	{
		CheckCall call = {checks[i].check, preflight};
		ErrorData *error;

		if (preflight->until_critical && findings_worst(preflight->findings) == SEVERITY_CRITICAL)
			break;
		error = guarded_look(run_check, &call);
		if (error != NULL)
			add_error_finding(preflight->findings, checks[i].name, SEVERITY_UNKNOWN, error);
	}
}
