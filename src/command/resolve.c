/*
 * resolve.c
 *		resolve(): what a new run would get, and why.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "attach/in_force.h"
#include "command/find_version.h"
#include "dag/commit.h"
#include "dag/version.h"
#include "pin/pin.h"
#include "run/decide.h"
#include "run/next_run.h"

PG_FUNCTION_INFO_V1(airflow_pin_resolve);

/* What becomes of a run that Airflow would create now, if pins are in force. */
static void
resolve_run(const AirflowTables *tables, const RunRequest *request, const VersionCommit *latest,
			Decision *decision)
{
	PinList *pins = pins_read(request->dag_id, strlen(request->dag_id));
	const char *hint;
	const char *obstacle = pins_obstacle(tables->schema, &hint);

	if (obstacle != NULL)
	{
		*decision = (Decision){
			.action = RUN_LATEST,
			.has_effective = true,
			.effective = latest->version,
			.effective_commit = request->commit,
			.detail = psprintf("Pins are not in force. %s %s", obstacle, hint ? hint : "")};
		return;
	}
	decide_next_run(tables, request, pins_ruling(pins, GetCurrentTimestamp()), decision);
	if (decision->action == RUN_LATEST && latest->seen != NULL)
		decision->detail =
			psprintf("%s Airflow has not looked yet whether their commit changes the "
					 "version.",
					 decision->detail);
}

static Datum
resolved_row(TupleDesc desc, const Decision *decision)
{
	Datum values[5] = {0};
	bool nulls[5] = {false};

	nulls[0] = nulls[1] = !decision->has_effective;
	nulls[2] = !decision->has_effective || decision->effective_commit == NULL;
	if (decision->has_effective)
	{
		values[0] = Int32GetDatum(decision->effective.number);
		values[1] = UUIDPGetDatum(&decision->effective.id);
	}
	if (!nulls[2])
		values[2] = CStringGetTextDatum(decision->effective_commit);
	values[3] = CStringGetTextDatum(run_action_name(decision->action));
	values[4] = CStringGetTextDatum(decision_explanation(decision));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * resolve(dag_id, run_type)
 */
Datum
airflow_pin_resolve(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	RunRequest request = {0};
	AirflowTables tables;
	VersionCommit latest;
	DagVersion found;
	Decision decision;
	TupleDesc desc;
	Datum result;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("dag_id and run_type must not be NULL")));
	request.dag_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	request.run_type_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	request.run_type = run_type_from_name(request.run_type_name, strlen(request.run_type_name));
	if (request.run_type == RUN_UNKNOWN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown run type \"%s\"", request.run_type_name),
						errdetail("Run types are %s.", run_type_names()),
						errhint("Leave it out for a scheduled run.")));

	SPI_connect();
	airflow_tables(&tables, airflow_schema());
	require_latest(&tables, request.dag_id, &found);
	if (!latest_commit(&tables, request.dag_id, &latest))
		raise_no_such_version(&tables, request.dag_id, found.number);
	request.version = &latest.version.id;
	request.commit = latest.seen ? latest.seen : latest.commit;
	resolve_run(&tables, &request, &latest, &decision);
	MemoryContextSwitchTo(context);
	result = resolved_row(desc, &decision);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
