/*
 * probe.c
 *		Look for bad rows in Airflow's tables without waiting for a lock, within a budget.
 *
 * A table is read in ranges of blocks (TID range scans), spread over it, until the rows or the time
 * that the rule may have are used up; what was found then holds for the part that was read, and the
 * finding says which part that is. Rows are looked up in large tables by index only, so that the
 * work is bounded by the rows that are read. Without limits, and where the tables are small, it is
 * one statement, planned freely.
 *
 * Locks are taken only if they are free at once: ACCESS SHARE on the tables and their indexes by
 * conditional locks, and for what the executor locks besides (TOAST) with a short lock_timeout.
 */
#include "probe.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "airflow/schema.h"
#include "relation/relation.h"
#include "relation/try_lock.h"
#include "rows/block_walk.h"
#include "util/guarded.h"
#include "util/interval.h"
#include "util/owner_scope.h"
#include "util/query.h"

#define ROWS_PER_BLOCK 50 /* without statistics */

/* What may be joined or grouped in one statement where there is little time. */
#define MAX_ROWS_AT_ONCE 250000
#define MAX_BLOCKS_AT_ONCE 16384

/* A parent of this size may be read again for every range. */
#define FEW_ROWS 1000
#define FEW_BLOCKS 64

#define LOCK_TIMEOUT "20ms"

/* The budget that a SQL function was called with: max_rows bigint, max_time interval. */
ProbeBudget
probe_budget(FunctionCallInfo fcinfo)
{
	ProbeBudget budget = {0};
	Interval *time = PG_ARGISNULL(1) ? NULL : PG_GETARG_INTERVAL_P(1);

	if (!PG_ARGISNULL(0))
		budget.max_rows = PG_GETARG_INT64(0);
	if (time != NULL)
		budget.max_ms = interval_microseconds(time) / 1000;
	if ((!PG_ARGISNULL(0) && budget.max_rows <= 0) || (time != NULL && budget.max_ms <= 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_rows and max_time must be positive, or NULL for no limit")));
	return budget;
}

static void
find_schema(void *arg)
{
	Probe *probe = arg;

	probe->schema = pstrdup(airflow_schema());
	probe->namespace = get_namespace_oid(probe->schema, false);
	probe->quoted_schema = pstrdup(quote_identifier(probe->schema));
}

/* Find Airflow's tables. Returns false, with a finding, when there are none. */
bool
probe_begin(Probe *probe, FindingList *list, const char *check_name, const ProbeBudget *budget)
{
	ErrorData *error;

	memset(probe, 0, sizeof(*probe));
	probe->list = list;
	probe->max_rows = budget->max_rows;
	probe->deadline = budget->max_ms == 0
						  ? DT_NOEND
						  : TimestampTzPlusMilliseconds(GetCurrentTimestamp(), budget->max_ms);
	if ((error = guarded_call(find_schema, probe)) == NULL)
		return true;
	findings_add(list, &(Finding){.check_name = check_name,
								  .severity = SEVERITY_UNKNOWN,
								  .message = error->message,
								  .hint = error->hint});
	return false;
}

static void
report_unknown(Probe *probe, const Rule *rule, const char *message, const char *hint)
{
	findings_add(probe->list, &(Finding){.check_name = rule->check_name,
										 .severity = SEVERITY_UNKNOWN,
										 .object = psprintf("%s (%s)", rule->table, rule->columns),
										 .message = message,
										 .hint = hint});
}

static void
report_locked(Probe *probe, const Rule *rule, const char *table)
{
	Oid relation = get_relname_relid(table, probe->namespace);

	report_unknown(probe, rule,
				   psprintf("\"%s\" is locked by %s", table, reading_blockers(relation)),
				   "Call it again when the lock is gone; airflow_pin.locks() shows the session.");
}

/* Lock a table of the rule if that needs no waiting; says so in a finding when it does. */
static bool
lock_table(Probe *probe, const Rule *rule, const char *table)
{
	Oid relation = get_relname_relid(table, probe->namespace);

	if (!try_lock_for_reading(relation))
	{
		report_locked(probe, rule, table);
		return false;
	}
	if (get_relname_relid(table, probe->namespace) != relation ||
		get_rel_relkind(relation) != RELKIND_RELATION || !relation_is_table(relation))
	{
		report_unknown(probe, rule, psprintf("\"%s\" is not a plain table", table), NULL);
		return false;
	}
	return true;
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/* Is there an index that finds the parent's rows by their key? */
static bool
parent_indexed(const Probe *probe, const Rule *rule)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDOID, ObjectIdGetDatum(get_relname_relid(rule->parent, probe->namespace)));
	arg_text(&args, rule->parent_key);
	query_run("SELECT FROM pg_index i WHERE i.indrelid = $1 AND i.indisvalid AND i.indpred IS NULL"
			  " AND string_to_array($2, ', ') @> ARRAY(SELECT a.attname::text FROM pg_attribute a"
			  " WHERE a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts)",
			  &args, true, 1);
	return SPI_processed > 0;
}

/* Settings for the rule's queries. Returns false, with a finding, when they would be unbounded. */
static bool
plan_settings(Probe *probe, const Rule *rule, const ProbeTable *table)
{
	bool indexed;

	set_local("lock_timeout", LOCK_TIMEOUT);
	if (!probe_is_limited(probe))
		return true;
	set_local("jit", "off");
	set_local("max_parallel_workers_per_gather", "0");
	set_local("plan_cache_mode", "force_generic_plan");
	if (rule->parent == NULL || table->few_parents)
		return true;
	indexed = parent_indexed(probe, rule);
	if (table->small)
	{
		/* Whatever the statistics say, the parent must not be read again for every row. */
		set_local("enable_nestloop", indexed ? "on" : "off");
		return true;
	}
	if (!indexed)
	{
		report_unknown(
			probe, rule,
			psprintf("not read: \"%s\" has no index on (%s)", rule->parent, rule->parent_key),
			psprintf("Read it in full: SELECT * FROM %s;", probe->function));
		return false;
	}
	set_local("enable_hashjoin", "off");
	set_local("enable_mergejoin", "off");
	set_local("enable_material", "off");
	return true;
}

/* Blocks and estimated rows of a table that is locked. */
static void
measure_relation(Oid table, int64 *blocks, double *rows)
{
	Relation relation = table_open(table, NoLock);

	*blocks = RelationGetNumberOfBlocks(relation);
	*rows = (double) *blocks * ROWS_PER_BLOCK;
	if (relation->rd_rel->relpages > 0 && relation->rd_rel->reltuples > 0)
		*rows = relation->rd_rel->reltuples / relation->rd_rel->relpages * *blocks;
	table_close(relation, NoLock);
}

static void
measure(ProbeTable *table)
{
	const Probe *probe = table->probe;
	const char *parent = table->rule->parent;
	double limit = probe->max_rows > 0 ? Min(probe->max_rows, MAX_ROWS_AT_ONCE) : MAX_ROWS_AT_ONCE;
	int64 parent_blocks;
	double parent_rows;

	measure_relation(table->relation, &table->blocks, &table->rows);
	if (parent == NULL)
		return;
	measure_relation(get_relname_relid(parent, probe->namespace), &parent_blocks, &parent_rows);
	table->few_parents = parent_rows <= FEW_ROWS && parent_blocks <= FEW_BLOCKS;
	table->small =
		table->rows + parent_rows <= limit && table->blocks + parent_blocks <= MAX_BLOCKS_AT_ONCE;
}

/* Run the rule's function, in a subtransaction. */
static void
run_function(void *arg)
{
	ProbeTable *table = arg;
	Probe *probe = table->probe;
	const Rule *rule = table->rule;
	OwnerScope scope;

	table->result.fraction = -1;
	if (!lock_table(probe, rule, rule->table) ||
		(rule->parent != NULL && !lock_table(probe, rule, rule->parent)))
		return;
	measure(table);
	SPI_connect();
	owner_scope_enter_foreign(&scope, table->relation);
	if (plan_settings(probe, rule, table))
	{
		table->result.fraction = 1;
		table->function(table);
	}
	owner_scope_leave(&scope);
	SPI_finish();
}

/* The remaining time is for these rules, too, as far as they apply. */
void
probe_expect(Probe *probe, const Rule *rules, int count)
{
	for (int i = 0; i < count; i++)
		if (rule_applies(probe, &rules[i]))
			probe->rules_left++;
}

/*
 * Run a rule's function in its table. Returns false when there is nothing to say: the rule is not
 * about this version of Airflow, or the table could not be read, which is a finding.
 */
bool
probe_table(Probe *probe, const Rule *rule, RuleFunction function, void *arg, ProbeResult *result)
{
	ProbeTable table = {.probe = probe, .rule = rule, .function = function, .arg = arg};
	ErrorData *error;

	if (!rule_applies(probe, rule))
		return false;
	table.relation = get_relname_relid(rule->table, probe->namespace);
	table.sql_name = psprintf("%s.%s", probe->quoted_schema, quote_identifier(rule->table));
	error = guarded_call(run_function, &table);
	probe->rules_left--;
	if (error != NULL && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		report_locked(probe, rule, rule->table);
	else if (error != NULL)
		report_unknown(probe, rule, psprintf("it could not be read: %s", error->message), NULL);
	if (error != NULL || table.result.fraction < 0)
		return false;
	*result = table.result;
	return true;
}

/* RuleFunction: count the rows that the rule's condition holds for. */
void
probe_count_rows(ProbeTable *table)
{
	char *bad = rule_text(table->probe, table->rule->bad, NULL);
	BlockWalk walk;

	block_walk_begin(&walk, table, "count(*)", bad);
	while (block_walk_next(&walk))
	{
		table->result.bad += row_bigint(0, 1);
		SPI_freetuptable(SPI_tuptable);
	}
	block_walk_end(&walk);
}

/* Does a unique index see to it that no two rows have the same keys (NULLs aside)? */
static bool
keys_are_unique(const ProbeTable *table)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDOID, ObjectIdGetDatum(table->relation));
	arg_text(&args, table->rule->keys);
	set_local("quote_all_identifiers", "off"); /* for pg_get_indexdef() */
	query_run("SELECT FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid"
			  " AND i.indpred IS NULL AND string_to_array($2, ', ') @>"
			  " ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false)"
			  " FROM generate_series(1, i.indnkeyatts) k)",
			  &args, true, 1);
	return SPI_processed > 0;
}

/*
 * RuleFunction: count the rows that repeat the keys of another. Where there is no unique index the
 * rows have to be grouped; of a large table, only those at its end.
 */
void
probe_count_duplicates(ProbeTable *table)
{
	const Probe *probe = table->probe;
	double limit = probe->max_rows;
	char *range = "";

	if (keys_are_unique(table))
		return;
	if (probe->deadline != DT_NOEND && GetCurrentTimestamp() >= probe->deadline)
	{
		table->result.fraction = 0;
		return;
	}
	if (probe->deadline != DT_NOEND)
		limit = limit > 0 ? Min(limit, MAX_ROWS_AT_ONCE) : MAX_ROWS_AT_ONCE;
	if (limit > 0 && table->rows > limit)
	{
		table->result.fraction = limit / table->rows;
		range = psprintf(" WHERE ctid >= '(" INT64_FORMAT ",0)'",
						 (int64) (table->blocks * (1 - table->result.fraction)));
	}
	query_run(psprintf("SELECT COALESCE(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n"
					   " FROM ONLY %s%s GROUP BY %s HAVING count(*) > 1) d",
					   table->sql_name, range, table->rule->keys),
			  NULL, true, 1);
	table->result.bad = row_bigint(0, 1);
}

static bool
is_sampled(const ProbeResult *result)
{
	return result->fraction < 1;
}

static char *
percent(double fraction)
{
	return psprintf("%.*f %%", fraction < 0.1 ? 1 : 0, fraction * 100);
}

/* Some migrations fail only up to a release that learned to cope. */
static Severity
severity_for_target(const Probe *probe, const Rule *rule)
{
	return rule->fails_to != NULL && probe->target != NULL &&
				   probe->target <= plan_release(rule->fails_to)
			   ? SEVERITY_CRITICAL
			   : rule->severity;
}

/* A finding for what a rule found; none where it read all and found nothing. */
void
probe_report(Probe *probe, const Rule *rule, const ProbeResult *result)
{
	char *object = psprintf("%s (%s)", rule->table, rule->columns);
	char *part = is_sampled(result)
					 ? psprintf(" in the %s of the table that was read", percent(result->fraction))
					 : "";
	char *in_full = psprintf("Read it in full: SELECT * FROM %s;", probe->function);

	if (result->bad > 0)
		findings_add(
			probe->list,
			&(Finding){.check_name = rule->check_name,
					   .severity = severity_for_target(probe, rule),
					   .object = object,
					   .value = psprintf(INT64_FORMAT, result->bad),
					   .threshold = "0",
					   .message = psprintf(INT64_FORMAT " %s %s%s: %s", result->bad,
										   result->bad == 1 ? "row" : "rows", rule->what, part,
										   rule->consequence),
					   .hint = rule->hint			? rule->hint
							   : is_sampled(result) ? in_full
													: "Look at the rows before you run fix_sql.",
					   .fix_sql = rule->fix ? rule_text(probe, rule->fix, rule->bad) : NULL});
	else if (result->fraction == 0)
		report_unknown(probe, rule, "not read: no time was left", in_full);
	else if (is_sampled(result))
		findings_add(probe->list,
					 &(Finding){.check_name = rule->check_name,
								.severity = SEVERITY_INFO,
								.object = object,
								.value = "0",
								.threshold = "0",
								.message = psprintf("no such row in the %s of the table that was "
													"read",
													percent(result->fraction)),
								.hint = in_full});
}
