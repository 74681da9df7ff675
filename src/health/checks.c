/*
 * checks.c
 *		Run checks so that one that raises an error does not keep the others from being made.
 */
#include "checks.h"

#include "executor/spi.h"

#include "util/guarded.h"

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
