/*
 * decision_log.c
 *		The table run_decision, and the server log.
 *
 * A row of run_decision is also what starts reconcile.c: a deferred trigger on that table. So only
 * runs that a pin touched pay for a trigger at commit, and Airflow's tables carry one trigger less.
 */
#include "decision_log.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"

#include "relation/relation.h"
#include "settings.h"
#include "util/owner_scope.h"
#include "util/query.h"

static FullTransactionId recorded_in;
static bool recording;

/*
 * Record what was decided about a run, as the owner of run_decision. Call it connected to SPI.
 */
void
decision_record(const AirflowTables *tables, const RunRequest *request, const Decision *decision)
{
	static KeptPlan plan;
	const DagVersion *requested = decision->has_requested ? &decision->requested : NULL;
	const DagVersion *effective = decision->has_effective ? &decision->effective : NULL;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, request->dag_id);
	arg_text(&args, request->run_id);
	arg_text(&args, request->run_type_name);
	arg_text(&args, run_action_name(decision->action));
	if (requested)
		arg_int(&args, requested->number);
	else
		arg_null(&args, INT4OID);
	if (effective)
		arg_int(&args, effective->number);
	else
		arg_null(&args, INT4OID);
	arg_text(&args, decision_explanation(decision));
	arg_text(&args, request->commit);
	arg_text(&args, effective ? decision->effective_commit : NULL);
	arg_uuid(&args, request->version);
	arg_uuid(&args, effective ? &effective->id : NULL);
	arg_text(&args, effective ? effective->dag_hash : NULL);
	arg_text(&args, tables->schema);
	arg_text(&args, request->id);

	recorded_in = GetTopFullTransactionId();
	recording = true;
	PG_TRY();
	{
		owner_scope_enter(&scope, pin_relation("run_decision"));
		query_run_kept(
			&plan,
			"INSERT INTO airflow_pin.run_decision (dag_id, run_id, run_type, action,"
			" requested_version, effective_version, detail, requested_bundle_version,"
			" effective_bundle_version, requested_dag_version_id,"
			" effective_dag_version_id, effective_dag_hash, airflow_schema,"
			" dag_run_id)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::bigint)",
			&args, 0);
		owner_scope_leave(&scope);
	}
	PG_FINALLY();
	{
		recording = false;
	}
	PG_END_TRY();
}

/*
 * Is a decision being recorded right now? Then a deferred trigger that fires is not deferred.
 */
bool
decision_is_being_recorded(void)
{
	return recording;
}

/*
 * Did this transaction record decisions? Rows of run_decision also arrive by pg_restore, and those
 * are history.
 */
bool
decisions_are_ours(void)
{
	return FullTransactionIdIsValid(recorded_in) &&
		   FullTransactionIdEquals(recorded_in, GetTopFullTransactionIdIfAny());
}

/*
 * Write the decision to the server log: failures always, the others unless switched off.
 */
void
decision_log(const RunRequest *request, const Decision *decision)
{
	if (decision->action != RUN_FAILED && !airflow_pin_log_decisions)
		return;
	ereport(LOG, (errmsg("airflow_pin: %s run \"%s\" of DAG \"%s\"",
						 run_action_name(decision->action), request->run_id, request->dag_id),
				  errdetail_log("%s", decision_explanation(decision)), errhidestmt(true),
				  errhidecontext(true)));
}
