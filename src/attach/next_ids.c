/*
 * next_ids.c
 *		Do the sequences of the extension's tables go on after the rows that are there?
 *
 * Logical replication brings rows and no sequences. On a subscriber that takes over, the next
 * decision and the next pin would have ids that are taken: runs of pinned DAGs would fail.
 */
#include "next_ids.h"

#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

static const char *const tables[] = {"run_decision", "pin_history"};

/* %1$s: a table; %2$s: what to select where the next id of its sequence is taken. */
static const char *const taken_sql =
	"SELECT %2$s FROM (SELECT max(id) AS id FROM airflow_pin.%1$s) t, airflow_pin.%1$s_id_seq s"
	" WHERE t.id > s.last_value OR (t.id = s.last_value AND NOT s.is_called)";

/*
 * A table whose next id is taken, or NULL. Call it connected to SPI.
 */
const char *
next_id_taken(void)
{
	static KeptPlan plans[lengthof(tables)];

	for (int i = 0; i < (int) lengthof(tables); i++)
	{
		QueryArgs args = {0};
		OwnerScope scope;

		owner_scope_enter(&scope, pin_relation(tables[i]));
		query_run_kept(&plans[i], psprintf(taken_sql, tables[i], ""), &args, 1);
		owner_scope_leave(&scope);
		if (SPI_processed > 0)
			return tables[i];
	}
	return NULL;
}

/*
 * Let the sequences go on after the highest ids. Call it connected to SPI.
 */
void
next_ids_advance(void)
{
	for (int i = 0; i < (int) lengthof(tables); i++)
	{
		OwnerScope scope;
		char *setval = psprintf("setval('airflow_pin.%s_id_seq', t.id)", tables[i]);

		owner_scope_enter(&scope, pin_relation(tables[i]));
		query_run(psprintf(taken_sql, tables[i], setval), NULL, false, 0);
		owner_scope_leave(&scope);
	}
}
