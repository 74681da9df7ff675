/*
 * pin_store.c
 *		Changes of pinned_version and pin_history.
 *
 * Runs as the owner of the extension's tables: who may call a command is a matter of EXECUTE, who
 * called it is told by session_user. All functions are to be called connected to SPI.
 */
#include "pin_store.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow_pin.h"
#include "pin/pin.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

static void
run_as_owner(KeptPlan *plan, const char *sql, QueryArgs *args, long limit)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run_kept(plan, sql, args, limit);
	owner_scope_leave(&scope);
}

/* Has pinned_version the columns that came with 1.1? The library is newer than the SQL objects if not. */
bool
pin_store_has_schedule(void)
{
	return get_attnum(pin_relation("pinned_version"), "schedule_chosen") != InvalidAttrNumber;
}

/* The columns of 1.1 in a list of columns, behind others; of a table that may lack them, what they stand for. */
static const char *
schedule_columns(void)
{
	return pin_store_has_schedule() ? ", schedule, schedule_chosen" : ", 'latest', false";
}

/*
 * Let only one transaction at a time change the pins of a DAG. A row of pin_lock is locked by
 * writing it, so that a transaction whose snapshot is older than the last change fails with a
 * serialization error, rather than work on pins that are no more. Row locks: as many as there are
 * DAGs, and nobody who may not pin can take one. Runs never wait for them.
 */
void
pin_store_lock(const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&plan,
				 "INSERT INTO airflow_pin.pin_lock (dag_id) VALUES ($1)"
				 " ON CONFLICT (dag_id) DO UPDATE SET dag_id = excluded.dag_id",
				 &args, 0);
}

#define EXPIRE(condition)                                                                          \
	"WITH gone AS (DELETE FROM airflow_pin.pinned_version"                                         \
	" WHERE " condition " expires_at <= clock_timestamp() RETURNING *)"                            \
	" INSERT INTO airflow_pin.pin_history (dag_id, event, at, reason, from_version,"               \
	" from_bundle_version, valid_from, expires_at)"                                                \
	" SELECT dag_id, 'expire', expires_at, reason, version_number, bundle_version, valid_from,"    \
	" expires_at FROM gone RETURNING from_version, expires_at"

/* Move the DAG's pins that have expired to pin_history, and say so: nobody did when they ended. */
void
pin_store_expire(const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&plan, EXPIRE("dag_id = $1 AND"), &args, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
		ereport(NOTICE, (errmsg("the pin of DAG \"%s\" to version %d ended at %s", dag_id,
								row_int(row, 1), timestamptz_to_str(row_timestamp(row, 2)))));
}

/* The same with those of all DAGs. */
void
pin_store_expire_all(void)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	run_as_owner(&plan, EXPIRE(""), &args, 0);
}

/*
 * Events of history whose pin came into force: not a scheduled one that was replaced or removed
 * before its time.
 */
#define CAME_INTO_FORCE                                                                            \
	"h.pin IS NOT NULL AND (h.event <> 'schedule'"                                                 \
	" OR h.valid_from <= clock_timestamp() AND NOT EXISTS (SELECT FROM airflow_pin.pin_history c " \
	"WHERE c.dag_id = h.dag_id"                                                                    \
	" AND c.id > h.id AND (c.valid_from = h.valid_from AND c.pin IS NOT NULL"                      \
	" OR c.event = 'unpin' AND c.at < h.valid_from)))"

/*
 * The pin that rules the DAG now, or else the last that did, as far as history tells. False: it
 * never had one.
 */
bool
pin_store_last(const char *dag_id, PastPin *past)
{
	static KeptPlan ruling;
	static KeptPlan last;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&ruling,
				 "SELECT history_id, version_number, bundle_version, true, expires_at IS NULL"
				 " FROM airflow_pin.pinned_version WHERE dag_id = $1 AND " PIN_RULES
				 " ORDER BY valid_from DESC LIMIT 1",
				 &args, 1);
	if (SPI_processed == 0)
		run_as_owner(&last,
					 "SELECT h.id, h.to_version, h.to_bundle_version, false, false"
					 " FROM airflow_pin.pin_history h WHERE h.dag_id = $1 AND " CAME_INTO_FORCE
					 " ORDER BY h.valid_from DESC, h.id DESC LIMIT 1",
					 &args, 1);
	if (SPI_processed == 0)
		return false;
	past->history_id = row_bigint(0, 1);
	past->version_number = row_int(0, 2);
	past->commit = row_text(0, 3);
	past->in_force = row_bool(0, 4);
	past->has_no_end = row_bool(0, 5);
	return true;
}

/* A pin that was in force, on the way back. */
typedef struct PastEvent
{
	int64 id;
	int64 restores; /* for a rollback; 0: none */
	bool is_rollback;
	int32 version;
	char *commit;
} PastEvent;

/* All pins of a DAG that were in force, the newest first. */
static PastEvent *
read_past_events(int64 history_id, int *count)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	PastEvent *events;

	arg_datum(&args, INT8OID, Int64GetDatum(history_id));
	run_as_owner(&plan,
				 "SELECT h.id, coalesce(h.restores, 0), h.event = 'rollback', h.to_version,"
				 " h.to_bundle_version FROM airflow_pin.pin_history h WHERE h.dag_id ="
				 " (SELECT dag_id FROM airflow_pin.pin_history WHERE id = $1) AND " CAME_INTO_FORCE
				 " ORDER BY h.valid_from DESC, h.id DESC",
				 &args, 0);
	*count = SPI_processed;
	events = palloc(Max(SPI_processed, 1) * sizeof(PastEvent));
	for (int i = 0; i < *count; i++)
	{
		events[i].id = row_bigint(i, 1);
		events[i].restores = row_bigint(i, 2);
		events[i].is_rollback = row_bool(i, 3);
		events[i].version = row_int(i, 4);
		events[i].commit = row_text(i, 5);
	}
	return events;
}

/* Place of an event, or "count". */
static int
find_event(const PastEvent *events, int count, int64 id)
{
	int i = 0;

	while (i < count && events[i].id != id)
		i++;
	return i;
}

static bool
same_release(const PastEvent *a, const PastEvent *b)
{
	if (a->commit == NULL || b->commit == NULL)
		return a->version == b->version && a->commit == b->commit;
	return a->version == b->version && strcmp(a->commit, b->commit) == 0;
}

/*
 * The event whose pin was in force before the one of this event, for rollback(); 0: none. A pin of
 * the same version and commit, made again with other settings, is no step on the way back, and a
 * rollback stands where the pin that it restored stood: so one goes further back than the other.
 */
int64
pin_store_before(int64 history_id)
{
	int count;
	PastEvent *events = read_past_events(history_id, &count);
	int place = find_event(events, count, history_id);

	/* each step leads to an older event; the limit is for a clock that went backwards */
	for (int steps = 0; place < count && steps < count; steps++)
	{
		if (events[place].is_rollback)
			place = find_event(events, count, events[place].restores);
		else if (place + 1 == count)
			return 0;
		else if (same_release(&events[place], &events[place + 1]))
			place++;
		else
			return events[place + 1].id;
	}
	return 0;
}

/* The settings in the first row of a result, from that column on. */
static void
settings_of_row(PinSettings *settings, int column)
{
	bool isnull;

	settings->on_mismatch = row_text(0, column);
	settings->reruns = row_text(0, column + 1);
	settings->allow_override = row_bool(0, column + 2);
	settings->run_types = row_copy(0, column + 3, TEXTARRAYOID, CurrentMemoryContext, &isnull);
	if (isnull)
		settings->run_types = (Datum) 0;
	settings->run_types_given = settings->allow_override_given = true;
	/* pins of 1.0, also in history, have Airflow's own schedule */
	settings->schedule = row_is_null(0, column + 4) ? "latest" : row_text(0, column + 4);
	settings->schedule_chosen = !row_is_null(0, column + 5) && row_bool(0, column + 5);
}

/* The settings of the pin that rules the DAG now. False: none does. */
bool
pin_store_settings(const char *dag_id, PinSettings *settings)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&plan,
				 psprintf("SELECT on_mismatch, reruns, allow_override, run_types%s"
						  " FROM airflow_pin.pinned_version WHERE dag_id = $1 AND " PIN_RULES
						  " ORDER BY valid_from DESC LIMIT 1",
						  schedule_columns()),
				 &args, 1);
	if (SPI_processed == 0)
		return false;
	settings_of_row(settings, 1);
	return true;
}

/*
 * The pin that began with that event, to be made again: valid from now on and without expiry.
 */
bool
pin_store_spec(int64 history_id, PinSpec *spec, DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_datum(&args, INT8OID, Int64GetDatum(history_id));
	run_as_owner(&plan,
				 psprintf("SELECT p.version_number, p.dag_version_id, p.bundle_name,"
						  " p.bundle_version, p.dag_hash, p.source_code_hash, p.on_mismatch,"
						  " p.reruns, p.allow_override, p.run_types%s%s"
						  " FROM airflow_pin.pin_history h, LATERAL jsonb_populate_record("
						  "NULL::airflow_pin.pinned_version, h.pin) p"
						  " WHERE h.id = $1 AND h.pin IS NOT NULL",
						  schedule_columns(),
						  pin_store_has_schedule() ? ", p.airflow_revision, p.content_updated_at"
												   : ", NULL::text, NULL::timestamptz"),
				 &args, 1);
	if (SPI_processed == 0)
		return false;
	version->number = row_int(0, 1);
	version->id = row_uuid(0, 2);
	version->bundle_name = row_text(0, 3);
	spec->commit = row_text(0, 4);
	version->dag_hash = row_text(0, 5);
	version->source_code_hash = row_text(0, 6);
	spec->version = version;
	settings_of_row(&spec->settings, 7);
	spec->content.dag_hash = version->dag_hash;
	spec->content.airflow_revision = row_text(0, 13);
	spec->content.updated_at = row_timestamp(0, 14);
	spec->expires_at = DT_NOEND;
	spec->valid_from = DT_NOBEGIN;
	return true;
}

static void
args_of_spec(QueryArgs *args, const PinSpec *spec)
{
	arg_text(args, spec->dag_id);
	if (spec->valid_from == DT_NOBEGIN)
		arg_null(args, TIMESTAMPTZOID);
	else
		arg_timestamp(args, spec->valid_from);
	arg_int(args, spec->version->number);
	arg_uuid(args, &spec->version->id);
	arg_text(args, spec->version->bundle_name);
	arg_text(args, spec->commit);
	arg_text(args, spec->version->dag_hash);
	arg_text(args, spec->version->source_code_hash);
	arg_text(args, spec->settings.on_mismatch);
	if (spec->settings.run_types != (Datum) 0)
		arg_datum(args, TEXTARRAYOID, spec->settings.run_types);
	else
		arg_null(args, TEXTARRAYOID);
	arg_text(args, spec->settings.reruns);
	arg_datum(args, BOOLOID, BoolGetDatum(spec->settings.allow_override));
	if (spec->expires_at == DT_NOEND)
		arg_null(args, TIMESTAMPTZOID);
	else
		arg_timestamp(args, spec->expires_at);
	arg_text(args, spec->reason);
	arg_text(args, spec->settings.schedule);
	arg_datum(args, BOOLOID, BoolGetDatum(spec->settings.schedule_chosen));
}

/* The caller's copy of a row of pinned_version, in the context outside of SPI. */
static Datum
returned_pin(uint64 row, int column)
{
	bool isnull;
	Datum pin = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? (Datum) 0 : SPI_datumTransfer(pin, false, -1);
}

/*
 * Is there such a pin already, in force or on the schedule, with the same settings and reason? Then
 * making it again would change nothing, and *pin is the one there is.
 */
bool
pin_store_same(const PinSpec *spec, Datum *pin)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	args_of_spec(&args, spec);
	run_as_owner(
		&plan,
		psprintf("SELECT p FROM airflow_pin.pinned_version p WHERE dag_id = $1"
				 " AND valid_from = coalesce($2, (SELECT max(r.valid_from)"
				 " FROM airflow_pin.pinned_version r WHERE r.dag_id = $1"
				 " AND " PIN_HAS_BEGUN "))"
				 " AND (version_number, dag_version_id, bundle_name, bundle_version, dag_hash,"
				 " source_code_hash, on_mismatch, run_types, reruns, allow_override,"
				 " expires_at, reason%s) IS NOT DISTINCT FROM ($3, $4, $5, $6, $7, $8, $9, $10,"
				 " $11, $12, $13, $14, $15, $16)",
				 schedule_columns()),
		&args, 1);
	if (SPI_processed == 0)
		return false;
	*pin = returned_pin(0, 1);
	return true;
}

/* Raise an error for a pin whose time is over. */
void
raise_expired(const PinSpec *spec)
{
	char *expires_at = pstrdup(timestamptz_to_str(spec->expires_at));

	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("expires_at is in the past"),
			 errdetail("It is %s, and now is %s.", expires_at,
					   timestamptz_to_str(GetCurrentTimestamp())),
			 errhint("Leave it out for a pin without an end.")));
}

/*
 * Put the pin into force, or on the schedule, in place of what it replaces; enter it in history
 * and announce it. "from" is the pin it follows, or NULL; "restores" the event whose pin a rollback
 * brings back, or 0. Returns the row. Raises 22008 when the pin has expired by now: the session may
 * have waited for another one that pins the DAG.
 */
Datum
pin_store_put(const PinSpec *spec, const char *event, const PastPin *from, int64 restores)
{
	static KeptPlan delete_plan;
	static KeptPlan insert_plan;
	const bool has_schedule = pin_store_has_schedule();
	QueryArgs args = {0};

	arg_text(&args, spec->dag_id);
	if (spec->valid_from == DT_NOBEGIN)
		arg_null(&args, TIMESTAMPTZOID);
	else
		arg_timestamp(&args, spec->valid_from);
	run_as_owner(&delete_plan,
				 "DELETE FROM airflow_pin.pinned_version WHERE dag_id = $1 AND CASE"
				 " WHEN $2 IS NULL THEN " PIN_HAS_BEGUN " ELSE valid_from = $2 END",
				 &args, 0);

	memset(&args, 0, sizeof(args));
	args_of_spec(&args, spec);
	arg_text(&args, event);
	if (from != NULL && from->in_force)
		arg_int(&args, from->version_number);
	else
		arg_null(&args, INT4OID);
	arg_text(&args, from != NULL && from->in_force ? from->commit : NULL);
	if (restores > 0)
		arg_datum(&args, INT8OID, Int64GetDatum(restores));
	else
		arg_null(&args, INT8OID);
	arg_text(&args, spec->content.airflow_revision);
	if (spec->content.updated_at == DT_NOBEGIN)
		arg_null(&args, TIMESTAMPTZOID);
	else
		arg_timestamp(&args, spec->content.updated_at);
	run_as_owner(
		&insert_plan,
		psprintf(
			"WITH event AS (SELECT nextval('airflow_pin.pin_history_id_seq') AS id,"
			" coalesce($2, clock_timestamp()) AS valid_from),"
			" pin AS (INSERT INTO airflow_pin.pinned_version AS p (dag_id, valid_from,"
			" version_number, dag_version_id, bundle_name, bundle_version, dag_hash,"
			" source_code_hash, on_mismatch, run_types, reruns, allow_override, expires_at, reason,"
			" history_id%1$s) SELECT $1, event.valid_from, $3, $4, $5, $6, $7, $8, $9, $10,"
			" $11, $12, $13, $14, event.id%2$s FROM event WHERE $13 IS NULL OR $13 > "
			"event.valid_from"
			" RETURNING p, p.*),"
			" history AS (INSERT INTO airflow_pin.pin_history (id, dag_id, event, reason,"
			" from_version, to_version, from_bundle_version, to_bundle_version, valid_from,"
			" expires_at, pin, restores)"
			" SELECT history_id, dag_id, $17, reason, $18, version_number, $19, bundle_version,"
			" valid_from, expires_at, to_jsonb(pin.p), $20 FROM pin)"
			" SELECT pin.p, pg_notify('" PIN_CHANNEL "', json_build_object('event', $17,"
			" 'dag_id', dag_id, 'from_version', $18, 'to_version', version_number,"
			" 'bundle_version', bundle_version, 'valid_from', valid_from, 'by', pinned_by)::text)"
			" FROM pin",
			has_schedule ? ", schedule, schedule_chosen, airflow_revision, content_updated_at" : "",
			has_schedule ? ", $15, $16, $21, $22" : ""),
		&args, 0);
	if (SPI_processed == 0)
		raise_expired(spec);
	return returned_pin(0, 1);
}

/*
 * Remove all pins of the DAG. False: it has none. *in_force is the one that ruled, or 0.
 */
bool
pin_store_remove(const char *dag_id, const char *reason, Datum *in_force)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	*in_force = (Datum) 0;
	arg_text(&args, dag_id);
	arg_text(&args, reason);
	run_as_owner(&plan,
				 "WITH gone AS (DELETE FROM airflow_pin.pinned_version AS p WHERE dag_id = $1"
				 " RETURNING p, p.*),"
				 " ruling AS (SELECT * FROM gone WHERE " PIN_HAS_BEGUN
				 " ORDER BY valid_from DESC LIMIT 1),"
				 " history AS (INSERT INTO airflow_pin.pin_history (dag_id, event, reason,"
				 " from_version, from_bundle_version) SELECT $1, 'unpin', $2,"
				 " (SELECT version_number FROM ruling), (SELECT bundle_version FROM ruling)"
				 " WHERE EXISTS (SELECT FROM gone))"
				 " SELECT (SELECT ruling.p FROM ruling), pg_notify('" PIN_CHANNEL
				 "', json_build_object('event', 'unpin', 'dag_id', $1, 'from_version',"
				 " (SELECT version_number FROM ruling), 'to_version', NULL,"
				 " 'by', session_user)::text) FROM gone LIMIT 1",
				 &args, 0);
	if (SPI_processed == 0)
		return false;
	*in_force = returned_pin(0, 1);
	return true;
}

/* Is a move of the DAG's pin still scheduled? */
bool
pin_store_scheduled(const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_owner(&plan,
				 "SELECT FROM airflow_pin.pinned_version WHERE dag_id = $1"
				 " AND NOT " PIN_HAS_BEGUN,
				 &args, 1);
	return SPI_processed > 0;
}
