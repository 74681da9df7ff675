/*
 * version_guard.c
 *		The triggers that keep a pinned version what it was.
 *
 * SerializedDagModel.write_dag (airflow/models/serialized_dag.py) changes the latest version
 * in place when its content changed and it has no task instances yet, or when only the bundle
 * moved on; DagCode.update_source_code (airflow/models/dagcode.py) follows. Where that version
 * is pinned, the change goes to a version of its own instead, as if the pinned one already had
 * task instances, and the pinned row is returned as it was. Airflow counts it as updated, and
 * finds the new version, with the right hash, at its next parse.
 *
 * All three tables go the same way: the first change of a parse makes the next version as a copy of
 * the pinned one, and the values of the new row are set on the next version's row of that table; so
 * are those of the other changes of the same transaction. A pinned version that is not the latest is
 * none that Airflow would change: it stays as it is, and no other version is touched. When something
 * fails, Airflow's change is let through: parsing must go on, and runs of a version that is not what
 * was pinned are refused by its hash (decide.c).
 *
 * Half a parse makes no version. Within min_serialized_dag_update_interval write_dag returns before
 * it looks at the DAG, but update_source_code is called all the same: the new source would come with
 * the old tasks. It is left out, and comes with the first parse that looks: Airflow compares the
 * source at each.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "airflow/tables.h"
#include "dag/commit.h"
#include "dag/serialized_dag.h"
#include "guard/diversions.h"
#include "guard/follow_migration.h"
#include "guard/version_row.h"
#include "pin/pin.h"
#include "settings.h"
#include "util/column_list.h"
#include "util/copy_text.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"
#include "util/uuid_v7.h"

/* The change of a pinned version, for guarded_call(). */
typedef struct VersionChange
{
	TriggerData *trigger;
	const VersionTable *table;
	AirflowTables tables;
	char *dag_id;
	pg_uuid_t pinned;
	pg_uuid_t next;
	PinnedContent content; /* that was pinned */
	bool is_pinned;
	bool is_unchanged; /* the version, when a migration changes it */
	bool has_commit;   /* what is pinned, as opposed to a version of an unversioned bundle */
} VersionChange;

PG_FUNCTION_INFO_V1(airflow_pin_protect_version);

static bool
column_changes(TriggerData *trigger, const char *column)
{
	char *before = trigger_column_text(trigger, trigger->tg_trigtuple, column);
	char *after = trigger_column_text(trigger, trigger->tg_newtuple, column);

	if (before == NULL || after == NULL)
		return before != after;
	return strcmp(before, after) != 0;
}

static bool
content_changes(TriggerData *trigger, const VersionTable *table)
{
	for (int i = 0; i < (int) lengthof(table->content) && table->content[i] != NULL; i++)
		if (column_changes(trigger, table->content[i]))
			return true;
	return false;
}

/*
 * Does this transaction write changes of the version to another one already? It goes on with that when
 * a command has moved the pin since: half of them would make two versions that are neither.
 */
static void
find_diversion(VersionChange *change)
{
	char *version;
	pg_uuid_t next;

	if (!diversions_exist())
		return;
	version = trigger_column_text(change->trigger, change->trigger->tg_trigtuple,
								  change->table->version_column);
	if (version == NULL || change->dag_id == NULL)
		return;
	change->pinned = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(version)));
	change->is_pinned = diversion_find(&change->pinned, &next);
}

/* GuardedCall: does a pin hold this version? */
static void
find_pin(void *arg)
{
	VersionChange *change = arg;
	bool for_rollback;
	const Pin *pin =
		version_row_pin(change->trigger, change->table, &change->dag_id, &for_rollback);

	if (pin == NULL)
	{
		find_diversion(change);
		return;
	}
	change->is_pinned = true;
	change->pinned = pin->dag_version_id;
	change->content = pin->content;
	change->content.dag_hash = copy_text(pin->content.dag_hash);
	change->content.airflow_revision = copy_text(pin->content.airflow_revision);
	change->has_commit = pin->bundle_version != NULL;
}

/* GuardedCall: is the version, before the change, still what was pinned, migrations aside? */
static void
check_unchanged(void *arg)
{
	VersionChange *change = arg;
	TriggerData *trigger = change->trigger;
	DagVersion before = {.id = change->pinned};

	before.dag_hash = trigger_column_text(trigger, trigger->tg_trigtuple, "dag_hash");
	SPI_connect();
	airflow_tables(&change->tables, get_namespace_name(RelationGetNamespace(trigger->tg_relation)));
	change->is_unchanged = !pinned_content_changed(&change->tables, &change->content, &before);
	SPI_finish();
}

/* GuardedCall: what a migration does to a version is not held back; the pin follows. */
static void
let_migration_pass(void *arg)
{
	VersionChange *change = arg;

	if (!change_is_migrations(change->trigger))
		return;
	change->is_pinned = false;
	if (strcmp(change->table->name, "serialized_dag") != 0)
		return;
	(void) guarded_call(check_unchanged, change);
	follow_migration(change->trigger, change->dag_id,
					 change->is_unchanged ? change->content.dag_hash : NULL);
}

/*
 * GuardedCall: the way back of 0101 writes the content and leaves the hash. A pin that an earlier
 * migration was to explain, which nobody saw, could not be explained by it any more.
 */
static void
follow_content(void *arg)
{
	VersionChange *change = arg;

	find_pin(change);
	if (!change->is_pinned || !change_is_migrations(change->trigger))
		return;
	(void) guarded_call(check_unchanged, change);
	if (change->is_unchanged)
		follow_migration(change->trigger, change->dag_id, change->content.dag_hash);
}

/* Is the content of a version written, by what is no parse, and its hash left as it is? */
static bool
content_alone_changes(TriggerData *trigger, const VersionTable *table)
{
	return strcmp(table->name, "serialized_dag") == 0 && !column_changes(trigger, "last_updated") &&
		   (column_changes(trigger, "data") || column_changes(trigger, "data_compressed"));
}

/* Columns of a version's row that say which row it is, and since when. */
static bool
is_identity(const char *column)
{
	static const char *const names[] = {"id", "dag_id", "dag_version_id", "version_number",
										"created_at"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (strcmp(column, names[i]) == 0)
			return true;
	return false;
}

/*
 * Copy the pinned version's row of a table. "identity" are the values of id, dag_version_id or
 * version_number, which are not copied.
 */
static void
copy_row(const VersionChange *change, Oid relation, const VersionTable *table, const char *columns,
		 const char *identity)
{
	QueryArgs args = {0};
	pg_uuid_t id;
	char *others = column_list(relation, "", is_identity);

	uuid_v7(&id);
	arg_uuid(&args, &change->pinned);
	arg_uuid(&args, &change->next);
	arg_uuid(&args, &id);
	query_run(psprintf("INSERT INTO %1$s.%2$s (dag_id, created_at, %3$s%4$s)"
					   " SELECT dag_id, greatest(clock_timestamp(), created_at + interval '1 us'), "
					   "%5$s%4$s FROM %1$s.%2$s"
					   " WHERE %6$s = $1 AND $2 IS NOT NULL AND $3 IS NOT NULL",
					   change->tables.quoted_schema, table->name, columns, others, identity,
					   table->version_column),
			  &args, false, 0);
}

/* Make the new version's code the one that was updated last. */
static void
touch_code(const VersionChange *change)
{
	QueryArgs args = {0};

	arg_uuid(&args, &change->next);
	query_run(psprintf("UPDATE %s.dag_code SET last_updated = greatest(clock_timestamp(),"
					   " last_updated + interval '1 us') WHERE dag_version_id = $1",
					   change->tables.quoted_schema),
			  &args, false, 0);
}

/*
 * Let the new version have the commit that is being parsed. Airflow before 3.3 would leave it to
 * the runs when only the source code has changed.
 */
static void
set_parsed_commit(const VersionChange *change)
{
	QueryArgs args = {0};

	arg_uuid(&args, &change->next);
	query_run(psprintf("UPDATE %1$s.dag_version v SET bundle_version = d.bundle_version"
					   " FROM %1$s.dag d WHERE v.id = $1 AND d.dag_id = v.dag_id",
					   change->tables.quoted_schema),
			  &args, false, 0);
}

/* Copy the pinned version's rows to a new one, which is the latest then. */
static void
make_next_version(VersionChange *change)
{
	uuid_v7(&change->next);
	copy_row(change, change->tables.dag_version, version_table("dag_version"), "id, version_number",
			 psprintf("$2, (SELECT max(m.version_number) + 1 FROM %s.dag_version m"
					  " WHERE m.dag_id = dag_version.dag_id)",
					  change->tables.quoted_schema));
	set_parsed_commit(change);
	copy_row(change, change->tables.serialized_dag, version_table("serialized_dag"),
			 "id, dag_version_id", "$3, $2");
	copy_row(change, change->tables.dag_code, version_table("dag_code"), "id, dag_version_id",
			 "$3, $2");
	/* Airflow goes on with the code that was updated last (DagCode._latest_dagcode_select) */
	touch_code(change);
}

/*
 * Is the change the source code of a parse that has not looked whether the DAG has changed? Where
 * there is no commit, the source is all that tells a gate that the code has changed.
 */
static bool
is_half_a_parse(const VersionChange *change)
{
	return change->has_commit && strcmp(change->table->name, "dag_code") == 0 &&
		   !source_is_of_parse(&change->tables, change->dag_id);
}

/*
 * The version that takes what Airflow wants to write: a new one, or the one that this transaction has
 * made. False: there is none, as the change is not to be made.
 */
static bool
find_next_version(VersionChange *change)
{
	QueryArgs args = {0};
	pg_uuid_t latest;

	if (diversion_find(&change->pinned, &change->next))
		return true;
	arg_text(&args, change->dag_id);
	query_run(psprintf("SELECT id FROM %s.dag_version WHERE dag_id = $1"
					   " ORDER BY version_number DESC LIMIT 1",
					   change->tables.quoted_schema),
			  &args, false, 1);
	if (SPI_processed == 0)
		return false;
	latest = row_uuid(0, 1);
	if (memcmp(&latest, &change->pinned, sizeof(pg_uuid_t)) != 0 || is_half_a_parse(change))
		return false;
	make_next_version(change);
	diversion_add(&change->pinned, &change->next);
	return true;
}

/* Set what Airflow wants to change on the next version's row of the table. */
static void
write_next_row(const VersionChange *change)
{
	TupleDesc desc = RelationGetDescr(change->trigger->tg_relation);
	QueryArgs args = {0};
	StringInfoData sql;

	initStringInfo(&sql);
	arg_uuid(&args, &change->next);
	appendStringInfo(&sql, "UPDATE %s.%s SET", change->tables.quoted_schema, change->table->name);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool isnull;
		Datum value;

		if (attribute->attisdropped || attribute->attgenerated ||
			attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS ||
			is_identity(NameStr(attribute->attname)) ||
			!column_changes(change->trigger, NameStr(attribute->attname)))
			continue;
		value = SPI_getbinval(change->trigger->tg_newtuple, desc, attribute->attnum, &isnull);
		appendStringInfo(&sql, "%s %s = $%d", args.count > 1 ? "," : "",
						 quote_identifier(NameStr(attribute->attname)), args.count + 1);
		if (isnull)
			arg_null(&args, attribute->atttypid);
		else
			arg_datum(&args, attribute->atttypid, value);
	}
	appendStringInfo(&sql, " WHERE %s = $1", change->table->version_column);
	query_run(sql.data, &args, false, 0);
}

/* Deadline alerts are rows that belong to the version's own row: a copy would not have them. */
static void
refuse_deadlines(Jsonb *data)
{
	JsonbValue *deadline = data ? json_member(json_child(&data->root, "dag"), "deadline") : NULL;

	if (deadline != NULL && deadline->type != jbvNull)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a version with deadline alerts cannot be copied")));
}

/*
 * Raise an error when the change had better be let through: the version is not what was pinned any
 * more, so that all of its rows should follow, or it cannot be copied.
 */
static void
check_divertible(VersionChange *change)
{
	TriggerData *trigger = change->trigger;
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	char *hash = NULL;
	Jsonb *data = serialized_dag_outline(&change->tables, &change->pinned, &hash);
	int number = SPI_fnumber(desc, "data");

	if (change->content.dag_hash != NULL &&
		(hash == NULL ||
		 pinned_content_changed(&change->tables, &change->content,
								&(DagVersion){.id = change->pinned, .dag_hash = hash})))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the version's content is not what was pinned any more")));
	refuse_deadlines(data);
	if (strcmp(change->table->name, "serialized_dag") == 0 && number > 0)
	{
		int compressed = SPI_fnumber(desc, "data_compressed");
		DagColumns new = {.data_type = SPI_gettypeid(desc, number), .compressed_isnull = true};

		new.data = SPI_getbinval(trigger->tg_newtuple, desc, number, &new.data_isnull);
		if (compressed > 0 && SPI_gettypeid(desc, compressed) == BYTEAOID)
			new.compressed =
				SPI_getbinval(trigger->tg_newtuple, desc, compressed, &new.compressed_isnull);
		refuse_deadlines(serialized_dag_decode(&new, DAG_OUTLINE));
	}
}

/* GuardedCall: write the change to the next version. */
static void
divert_change(void *arg)
{
	VersionChange *change = arg;
	Oid namespace = RelationGetNamespace(change->trigger->tg_relation);
	OwnerScope scope;

	SPI_connect();
	airflow_tables(&change->tables, get_namespace_name(namespace));
	check_divertible(change);
	owner_scope_enter(&scope, change->tables.dag_version);
	if (find_next_version(change))
		write_next_row(change);
	owner_scope_leave(&scope);
	SPI_finish();
}

static void
log_failure(const VersionChange *change, const ErrorData *error)
{
	ereport(LOG, (errmsg("airflow_pin: could not keep the pinned version of DAG \"%s\" as it was",
						 change->dag_id ? change->dag_id : ""),
				  errdetail_log("%s", error->message),
				  errhint("Runs of it will fail until the DAG is pinned again."), errhidestmt(true),
				  errhidecontext(true)));
}

/*
 * BEFORE UPDATE FOR EACH ROW on serialized_dag, dag_version and dag_code.
 */
Datum
airflow_pin_protect_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_update_row(fcinfo, "protect_version");
	VersionChange change = {.trigger = trigger};
	ErrorData *error;

	change.table = version_table(RelationGetRelationName(trigger->tg_relation));
	if (!airflow_pin_enabled || change.table == NULL)
		return PointerGetDatum(trigger->tg_newtuple);
	if (!content_changes(trigger, change.table))
	{
		if (content_alone_changes(trigger, change.table))
			(void) guarded_call(follow_content, &change);
		return PointerGetDatum(trigger->tg_newtuple);
	}

	error = guarded_call(find_pin, &change);
	if (error == NULL && change.is_pinned)
		error = guarded_call(let_migration_pass, &change);
	if (error == NULL && !change.is_pinned)
		return PointerGetDatum(trigger->tg_newtuple);
	if (error == NULL)
		error = guarded_call(divert_change, &change);
	if (error == NULL)
		return PointerGetDatum(trigger->tg_trigtuple);
	log_failure(&change, error);
	return PointerGetDatum(trigger->tg_newtuple);
}
