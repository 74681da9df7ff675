/*
 * dump_rights.c
 *		What the owner of Airflow's tables needs in order to dump the database.
 *
 * pg_dump reads the extension's tables, because pins must be in the dump. Many sites dump as the role
 * that owns Airflow's tables, and a nightly backup that fails because an extension was created is
 * found when it is needed. So that role may read these tables, and no more than read.
 */
#include "dump_rights.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "airflow_pin.h"
#include "relation/relation.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

PG_FUNCTION_INFO_V1(airflow_pin_grant_dump_rights);

/*
 * Let the owner of that dag_run read the extension's tables, in the name of their owner. A superuser
 * needs no grant. Connects to SPI itself.
 */
void
dump_rights_grant(Oid dag_run)
{
	Oid owner = relation_owner(dag_run);
	const char *role;
	OwnerScope scope;

	if (superuser_arg(owner))
		return;
	role = quote_identifier(GetUserNameFromId(owner, false));
	SPI_connect();
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run(psprintf("GRANT USAGE ON SCHEMA " PIN_SCHEMA " TO %s", role), NULL, false, 0);
	query_run(psprintf("GRANT SELECT ON ALL TABLES IN SCHEMA " PIN_SCHEMA " TO %s", role), NULL,
			  false, 0);
	query_run(psprintf("GRANT SELECT ON ALL SEQUENCES IN SCHEMA " PIN_SCHEMA " TO %s", role), NULL,
			  false, 0);
	owner_scope_leave(&scope);
	SPI_finish();
}

/* GuardedCall: the dag_run of the one schema that has Airflow's tables. */
static void
find_dag_run(void *arg)
{
	*(Oid *) arg = airflow_dag_run(airflow_schema());
}

/*
 * grant_dump_rights()
 *
 * CREATE EXTENSION and its update call it, before attach() may ever be called. A database in which
 * there are no tables of Airflow yet, or in several schemas, is none of its business.
 */
Datum
airflow_pin_grant_dump_rights(PG_FUNCTION_ARGS)
{
	Oid dag_run = InvalidOid;
	ErrorData *error = guarded_call(find_dag_run, &dag_run);

	if (error == NULL)
		dump_rights_grant(dag_run);
	PG_RETURN_BOOL(error == NULL);
}
