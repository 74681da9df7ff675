/*
 * rollback_version.c
 *		Is a version the one that the next rollback() goes to?
 *
 * A way back that "airflow db clean", or a parse that writes over an unused version, has taken is
 * found missing when it is needed. So that version is guarded like the pinned one, as long as the DAG
 * has a pin. Where that is depends on history and on the clock, so it is looked up, and only for rows
 * of DAGs that have pins.
 */
#include "rollback_version.h"

#include "executor/spi.h"

#include "airflow/tables.h"
#include "dag/version.h"
#include "pin/pin_store.h"
#include "util/copy_text.h"
#include "util/guarded.h"

typedef struct RollbackLook
{
	const char *schema;
	const char *dag_id;
	const pg_uuid_t *version;
	MemoryContext context;
	Pin *pin; /* NULL: it goes to another version, or nowhere */
} RollbackLook;

/* "content": what it was when it was pinned; of one that never was, nothing is known. */
static void
found(RollbackLook *look, const DagVersion *version, const char *commit,
	  const PinnedContent *content)
{
	MemoryContext saved;

	if (memcmp(&version->id, look->version, sizeof(pg_uuid_t)) != 0)
		return;
	saved = MemoryContextSwitchTo(look->context);
	look->pin = palloc0(sizeof(Pin));
	look->pin->dag_version_id = version->id;
	look->pin->version_number = version->number;
	look->pin->bundle_version = copy_text(commit);
	look->pin->content = *content;
	look->pin->content.dag_hash = copy_text(content->dag_hash);
	look->pin->content.airflow_revision = copy_text(content->airflow_revision);
	MemoryContextSwitchTo(saved);
}

/* GuardedCall: the same way as rollback() in command/rollback.c. */
static void
look_back(void *arg)
{
	RollbackLook *look = arg;
	const PinnedContent unknown = {.updated_at = DT_NOBEGIN};
	AirflowTables tables;
	DagVersion version = {0};
	PinSpec spec = {0};
	PastPin past;
	int64 event;

	SPI_connect();
	if (pin_store_last(look->dag_id, &past))
	{
		event = past.in_force ? pin_store_before(past.history_id) : past.history_id;
		if (event != 0 && pin_store_spec(event, &spec, &version))
			found(look, &version, spec.commit, &spec.content);
		else if (past.in_force)
		{
			airflow_tables(&tables, look->schema);
			if (version_before(&tables, look->dag_id, past.version_number, &version))
				found(look, &version, version.bundle_version, &unknown);
		}
	}
	SPI_finish();
}

/*
 * A pin that stands for the way back, in the caller's memory, where the version is what the next
 * rollback() of the DAG goes to; else NULL. What cannot be looked up is not guarded. To be called for
 * a DAG that has pins.
 */
const Pin *
rollback_version_pin(const char *schema, const char *dag_id, const pg_uuid_t *version)
{
	RollbackLook look = {
		.schema = schema, .dag_id = dag_id, .version = version, .context = CurrentMemoryContext};

	return guarded_call(look_back, &look) == NULL ? look.pin : NULL;
}
