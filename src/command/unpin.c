/*
 * unpin.c
 *		unpin()
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "command/find_version.h"
#include "dag/version.h"
#include "pin/pin_store.h"
#include "util/arguments.h"
#include "util/guarded.h"

PG_FUNCTION_INFO_V1(airflow_pin_unpin);

/* GuardedCall: is the DAG in Airflow's tables? */
static void
find_dag(void *arg)
{
	const char **dag_id = arg;
	AirflowTables tables;
	DagSource source;

	airflow_tables(&tables, airflow_schema());
	if (!dag_source(&tables, *dag_id, &source))
		raise_no_such_dag(&tables, *dag_id);
}

/* Raise an error for a DAG that Airflow has no row of, of a DAG that has no pin. */
static void
require_dag(const char *dag_id)
{
	ErrorData *error = guarded_call(find_dag, &dag_id);

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT &&
		error->sqlerrcode != ERRCODE_UNDEFINED_TABLE)
		ReThrowError(error);
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("DAG \"%s\" does not exist and has no pin", dag_id),
					errdetail("Neither Airflow's table dag nor pinned_version has a row for it."),
					errhint("SELECT * FROM airflow_pin.pins(); lists the pins.")));
}

/*
 * unpin(dag_id, reason)
 */
Datum
airflow_pin_unpin(PG_FUNCTION_ARGS)
{
	char *dag_id = required_text(fcinfo, 0, "dag_id");
	char *reason = text_argument(fcinfo, 1);
	Datum in_force;

	SPI_connect();
	pin_store_lock(dag_id);
	pin_store_expire(dag_id);
	if (!pin_store_remove(dag_id, reason, &in_force))
	{
		require_dag(dag_id);
		ereport(NOTICE, (errmsg("DAG \"%s\" is not pinned", dag_id)));
	}
	SPI_finish();
	if (in_force == (Datum) 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(in_force);
}
