/*
 * prune_decisions.c
 *		prune_decisions()
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"

#include "pin/pin_store.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

PG_FUNCTION_INFO_V1(airflow_pin_prune_decisions);

/*
 * prune_decisions(older_than interval)
 */
Datum
airflow_pin_prune_decisions(PG_FUNCTION_ARGS)
{
	QueryArgs args = {0};
	OwnerScope scope;
	int64 removed;

	SPI_connect();
	arg_datum(&args, INTERVALOID, PG_GETARG_DATUM(0));
	owner_scope_enter(&scope, pin_relation("run_decision"));
	query_run("SELECT $1 < interval '0'", &args, true, 1);
	if (row_bool(0, 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("older_than must not be negative"),
						errhint("Give an age, such as '90 days'.")));
	query_run("DELETE FROM airflow_pin.run_decision WHERE decided_at < clock_timestamp() - $1",
			  &args, false, 0);
	removed = SPI_processed;
	owner_scope_leave(&scope);
	pin_store_expire_all();
	SPI_finish();
	PG_RETURN_INT64(removed);
}
