/*
 * next_run.c
 *		What becomes of a run that Airflow would create of a DAG now.
 *
 * One answer for resolve(), which tells it in words, and for pins(), whose drift has a name for each
 * reason why the run would fail.
 */
#include "next_run.h"

#include "instances/plan_check.h"
#include "util/guarded.h"

/*
 * The trigger's own decision about the run, and what the commit would make of it. "pin" is the pin
 * that rules the DAG now, or NULL. Call it connected to SPI; the answer lives until SPI_finish().
 */
void
decide_next_run(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
				Decision *decision)
{
	ErrorData *problem;

	decide_run(tables, request, pin, decision);
	if (decision->action != RUN_REWRITE)
		return;
	problem = plan_problem(tables, request->dag_id, &decision->effective, true);
	if (problem != NULL)
		decision_fail(decision, FAILURE_NOT_COMPUTABLE,
					  psprintf("The task instances of the pinned version cannot be computed: %s",
							   error_sentences(problem)),
					  plan_problem_hint(problem));
}
