/*
 * table_query.c
 *		Query one table of Airflow for a check, without waiting for a lock.
 */
#include "table_query.h"

#include "utils/builtins.h"

#include "airflow/relations.h"
#include "relation/try_lock.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* Lock a table for reading to the transaction's end; a finding of the check says it when not. */
bool
may_read_table(FindingList *findings, const char *check_name, const char *table, Oid relation)
{
	ReadObstacle obstacle;

	if (lock_to_read(relation, &obstacle))
		return true;
	findings_add(findings, &(Finding){.check_name = check_name,
									  .severity = SEVERITY_UNKNOWN,
									  .object = table,
									  .message = psprintf("table %s %s", table, obstacle.what),
									  .hint = obstacle.hint});
	return false;
}

/*
 * Run a query on one table, as its owner; %s stands for the table. Returns false, with a finding,
 * when the table cannot be read, and without one when there is no such table. To be called between
 * SPI_connect() and SPI_finish().
 */
bool
query_airflow_table(FindingList *findings, const char *schema, const char *check_name,
					const char *table, const char *sql)
{
	Oid relation = airflow_relation_oid(schema, table);
	OwnerScope scope;

	if (!OidIsValid(relation) || !may_read_table(findings, check_name, table, relation))
		return false;
	owner_scope_enter_foreign(&scope, relation);
	query_run(psprintf(sql, quote_qualified_identifier(schema, table)), NULL, true, 0);
	owner_scope_leave(&scope);
	return true;
}
