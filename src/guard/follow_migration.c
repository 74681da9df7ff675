/*
 * follow_migration.c
 *		Pins follow what a migration of Airflow does to their versions.
 *
 * 0101 (3.1 to 3.2) and its way back rewrite the content and the hash of every DAG that has deadline
 * alerts. They do so in several transactions of one session, of which only the first has locks as DDL
 * takes them (SingletonThreadPool hands out the migration's own connection again, and each DAG is
 * committed), so that the transaction alone does not tell. Airflow's parses set last_updated whenever
 * they write a row (onupdate in airflow/models), its migrations write in SQL and leave it alone: of a
 * client that holds the lock of migrations, a change without it is a migration's.
 */
#include "follow_migration.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "airflow/migration.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"

/* Does Airflow's own code write the row, as a parse does? A table without the column shows nothing. */
static bool
is_written_by_parse(TriggerData *trigger)
{
	char *before = trigger_column_text(trigger, trigger->tg_trigtuple, "last_updated");
	char *after = trigger_column_text(trigger, trigger->tg_newtuple, "last_updated");

	return before == NULL || after == NULL || strcmp(before, after) != 0;
}

/* Is the update of a version's row that the trigger is fired for a migration's? */
bool
change_is_migrations(TriggerData *trigger)
{
	Oid relation = RelationGetRelid(trigger->tg_relation);

	return transaction_migrates(relation) ||
		   (!is_written_by_parse(trigger) && client_migrates(relation));
}

/*
 * Set the new hash in the pins that hold the version as it was, by its hash or by "pinned_hash" (NULL:
 * none), which an earlier migration that nobody saw has made that of. A pin that a command is changing now is
 * left out, rather than waited for: the command waits for this row, and then reads its new hash. What
 * has been followed once is not to be explained by the migration again: see pinned_content.c.
 */
void
follow_migration(TriggerData *trigger, const char *dag_id, const char *pinned_hash)
{
	char *version = trigger_column_text(trigger, trigger->tg_trigtuple, "dag_version_id");
	QueryArgs args = {0};
	OwnerScope scope;

	SPI_connect();
	arg_text(&args, dag_id);
	arg_text(&args, version);
	arg_text(&args, trigger_column_text(trigger, trigger->tg_trigtuple, "dag_hash"));
	arg_text(&args, trigger_column_text(trigger, trigger->tg_newtuple, "dag_hash"));
	arg_text(&args, pinned_hash);
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("UPDATE airflow_pin.pinned_version SET dag_hash = $4, airflow_revision = NULL"
			  " WHERE dag_id = $1 AND valid_from IN (SELECT p.valid_from"
			  " FROM airflow_pin.pinned_version p WHERE p.dag_id = $1"
			  " AND p.dag_version_id = $2::uuid AND p.dag_hash IN ($3, $5) FOR UPDATE SKIP LOCKED)",
			  &args, false, 0);
	owner_scope_leave(&scope);
	if (SPI_processed > 0)
		ereport(LOG,
				(errmsg("airflow_pin: the pin of DAG \"%s\" follows what a migration of Airflow "
						"does to its version",
						dag_id),
				 errhidestmt(true), errhidecontext(true)));
	SPI_finish();
}
