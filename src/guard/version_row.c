/*
 * version_row.c
 *		A version's row in one of Airflow's tables, as a trigger sees it.
 */
#include "version_row.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "guard/rollback_version.h"
#include "pin/cache.h"
#include "util/trigger_call.h"

static const VersionTable version_tables[] = {
	{"serialized_dag", "dag_version_id", {"dag_hash"}, "dag_version"},
	{"dag_version", "id", {"bundle_name", "bundle_version", "version_data"}, "dag"},
	{"dag_code", "dag_version_id", {"source_code_hash"}, "dag_version"},
};

/* What is known of a table by its name; NULL for other tables. */
const VersionTable *
version_table(const char *name)
{
	for (int i = 0; i < (int) lengthof(version_tables); i++)
		if (strcmp(version_tables[i].name, name) == 0)
			return &version_tables[i];
	return NULL;
}

/*
 * The pin that holds the version of the row that is updated or deleted, or NULL; valid until the
 * pin cache is used again. *for_rollback: it is no pin of now, but where rollback() goes. Of a DAG
 * without pins nothing but its dag_id is looked at.
 */
const Pin *
version_row_pin(TriggerData *trigger, const VersionTable *table, char **dag_id, bool *for_rollback)
{
	const PinList *pins;
	const Pin *pin;
	char *text;
	pg_uuid_t *version;

	*for_rollback = false;
	*dag_id = trigger_column_text(trigger, trigger->tg_trigtuple, "dag_id");
	if (*dag_id == NULL)
		return NULL;
	pins = pin_cache_read(*dag_id);
	if (pins == NULL)
		return NULL;
	text = trigger_column_text(trigger, trigger->tg_trigtuple, table->version_column);
	if (text == NULL)
		return NULL;
	version = DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
	pin = pins_holding(pins, version, GetCurrentTimestamp());
	if (pin != NULL || !pins_are_left(pins, GetCurrentTimestamp()))
		return pin;
	*for_rollback = true;
	return rollback_version_pin(get_namespace_name(RelationGetNamespace(trigger->tg_relation)),
								*dag_id, version);
}
