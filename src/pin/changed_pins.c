/*
 * changed_pins.c
 *		Which pins have a version that is not what was pinned any more?
 *
 * For status(), which is asked often: what was written over or deleted while the kill switch was on, or
 * by somebody, and nothing more than that. All reasons are in the drift of pins().
 */
#include "changed_pins.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow/tables.h"
#include "pin/pin.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

#define NAMES_TOLD 5

/* The pins in force that hold something: DAGs, versions and hashes as three arrays of a row. */
static bool
read_pins(QueryArgs *args)
{
	MemoryContext context = CurrentMemoryContext;
	OwnerScope scope;
	bool isnull;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run(
		"SELECT array_agg(p.dag_id), array_agg(p.dag_version_id), array_agg(p.dag_hash)"
		" FROM (SELECT DISTINCT ON (dag_id) * FROM airflow_pin.pinned_version WHERE " PIN_RULES
		"  ORDER BY dag_id, valid_from DESC) p WHERE p.on_mismatch <> 'observe'",
		NULL, true, 1);
	owner_scope_leave(&scope);
	if (row_is_null(0, 1))
		return false;
	arg_datum(args, TEXTARRAYOID, row_copy(0, 1, TEXTARRAYOID, context, &isnull));
	arg_datum(args, get_array_type(UUIDOID), row_copy(0, 2, InvalidOid, context, &isnull));
	arg_datum(args, TEXTARRAYOID, row_copy(0, 3, TEXTARRAYOID, context, &isnull));
	return true;
}

/* Is the version of the DAG's pin another one than its hash says, migrations aside? */
static bool
is_changed(const AirflowTables *tables, const char *dag_id, const char *dag_hash)
{
	const Pin *pin = pins_ruling(pins_read(dag_id, strlen(dag_id)), GetCurrentTimestamp());
	DagVersion now = {.dag_hash = unconstify(char *, dag_hash)};

	if (pin == NULL || dag_hash == NULL)
		return pin != NULL;
	now.id = pin->dag_version_id;
	return pinned_content_changed(tables, &pin->content, &now);
}

/*
 * GuardedCall: find them in the tables of a schema, without waiting for a lock; "arg" is a ChangedPins.
 * To be called connected to SPI.
 */
void
changed_pins_find(void *arg)
{
	ChangedPins *changed = arg;
	QueryArgs args = {0};
	AirflowTables tables;
	OwnerScope scope;
	SPITupleTable *rows;
	uint64 count;
	StringInfoData names;

	airflow_tables_at_once(&tables, changed->schema);
	if (!read_pins(&args))
		return;
	owner_scope_enter_foreign(&scope, tables.serialized_dag);
	query_run(psprintf("SELECT p.dag_id, s.dag_hash FROM unnest($1, $2, $3) AS p (dag_id, id, hash)"
					   " LEFT JOIN %s.serialized_dag s ON s.dag_version_id = p.id"
					   " WHERE s.dag_hash IS NULL OR s.dag_hash <> p.hash ORDER BY p.dag_id",
					   tables.quoted_schema),
			  &args, true, 0);
	owner_scope_leave(&scope);
	rows = SPI_tuptable;
	count = SPI_processed;
	initStringInfo(&names);
	for (uint64 row = 0; row < count; row++)
	{
		char *dag_id = SPI_getvalue(rows->vals[row], rows->tupdesc, 1);

		if (!is_changed(&tables, dag_id, SPI_getvalue(rows->vals[row], rows->tupdesc, 2)))
			continue;
		if (changed->count++ < NAMES_TOLD)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", dag_id);
	}
	if (changed->count > NAMES_TOLD)
		appendStringInfoString(&names, " and others");
	changed->dag_ids = names.data;
}
