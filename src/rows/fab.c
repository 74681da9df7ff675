/*
 * fab.c
 *		fab_report(): orphans and duplicates in the tables of the FAB auth manager.
 *
 * FAB's revision 02ca36b0235b (provider 3.5) makes the foreign keys of the two largest tables anew,
 * makes usernames and e-mails unique and ab_permission_view NOT NULL; rows against that stop it:
 * providers/fab/migrations/versions/0001_3_5_0_fix_fab_db_inconsistencies.py.
 */
#include "fab.h"

#include "executor/spi.h"
#include "fmgr.h"

#include "rows/probe.h"
#include "rows/rule.h"
#include "util/query.h"
#include "util/result_rows.h"

#define DEFAULT_MAX_ROWS 1000000
#define DEFAULT_MAX_MS 500

/* The revision before it, which a database of FAB 2.0 to 3.4 is at. */
#define REVISION_BEFORE "6709f7a774b9"

#define FAILS "\"airflow db migrate\" fails (FAB revision 02ca36b0235b)"
#define UNEXPECTED "no migration fails, but FAB does not expect it"

#define DELETE_BAD(table) "DELETE FROM {s}." table " r WHERE {bad};"

#define ORPHAN(severity_, table_, column, parent_, consequence_, fix_)                             \
	{                                                                                              \
		.check_name = "fab_orphans", .severity = severity_, .table = table_, .columns = column,    \
		.parent = parent_, .parent_key = "id",                                                     \
		.bad = "r." column " IS NOT NULL AND NOT EXISTS (SELECT FROM {s}." parent_                 \
			   " p WHERE p.id = r." column ")",                                                    \
		.what = "referring to no row in " parent_, .consequence = consequence_, .fix = fix_        \
	}

#define LINK_ORPHAN(severity, table, column, parent, consequence)                                  \
	ORPHAN(severity, table, column, parent, consequence, DELETE_BAD(table))

/* A permission that is no good goes with the roles' rows for it. */
#define DELETE_PERMISSION_VIEW                                                                     \
	"DELETE FROM {s}.ab_permission_view_role v WHERE v.permission_view_id IN ("                    \
	"SELECT r.id FROM {s}.ab_permission_view r WHERE {bad}); "                                     \
	"DELETE FROM {s}.ab_permission_view r WHERE {bad};"

#define NULLS(severity_, table_, columns_, bad_, consequence_, fix_)                               \
	{                                                                                              \
		.check_name = "fab_nulls", .severity = severity_, .table = table_, .columns = columns_,    \
		.bad = bad_, .what = "with a NULL", .consequence = consequence_, .fix = fix_               \
	}

/* The smaller tables first: what they leave of the time is for the larger ones. */
static const Rule null_rules[] = {
	NULLS(SEVERITY_CRITICAL, "ab_permission_view", "permission_id, view_menu_id",
		  "r.permission_id IS NULL OR r.view_menu_id IS NULL", FAILS, DELETE_PERMISSION_VIEW),
	NULLS(SEVERITY_WARNING, "ab_user_group", "user_id, group_id",
		  "r.user_id IS NULL OR r.group_id IS NULL", UNEXPECTED, DELETE_BAD("ab_user_group")),
	NULLS(SEVERITY_WARNING, "ab_group_role", "group_id, role_id",
		  "r.group_id IS NULL OR r.role_id IS NULL", UNEXPECTED, DELETE_BAD("ab_group_role")),
	NULLS(SEVERITY_WARNING, "ab_permission_view_role", "permission_view_id, role_id",
		  "r.permission_view_id IS NULL OR r.role_id IS NULL", UNEXPECTED,
		  DELETE_BAD("ab_permission_view_role")),
	NULLS(SEVERITY_WARNING, "ab_user_role", "user_id, role_id",
		  "r.user_id IS NULL OR r.role_id IS NULL", UNEXPECTED, DELETE_BAD("ab_user_role")),
};

static const Rule orphan_rules[] = {
	ORPHAN(SEVERITY_WARNING, "ab_permission_view", "permission_id", "ab_permission", UNEXPECTED,
		   DELETE_PERMISSION_VIEW),
	ORPHAN(SEVERITY_WARNING, "ab_permission_view", "view_menu_id", "ab_view_menu", UNEXPECTED,
		   DELETE_PERMISSION_VIEW),
	LINK_ORPHAN(SEVERITY_WARNING, "ab_user_group", "user_id", "ab_user", UNEXPECTED),
	LINK_ORPHAN(SEVERITY_WARNING, "ab_user_group", "group_id", "ab_group", UNEXPECTED),
	LINK_ORPHAN(SEVERITY_WARNING, "ab_group_role", "group_id", "ab_group", UNEXPECTED),
	LINK_ORPHAN(SEVERITY_WARNING, "ab_group_role", "role_id", "ab_role", UNEXPECTED),
	ORPHAN(SEVERITY_WARNING, "ab_user", "created_by_fk", "ab_user", UNEXPECTED,
		   "UPDATE {s}.ab_user r SET created_by_fk = NULL WHERE {bad};"),
	ORPHAN(SEVERITY_WARNING, "ab_user", "changed_by_fk", "ab_user", UNEXPECTED,
		   "UPDATE {s}.ab_user r SET changed_by_fk = NULL WHERE {bad};"),
	LINK_ORPHAN(SEVERITY_CRITICAL, "ab_permission_view_role", "permission_view_id",
				"ab_permission_view", FAILS),
	LINK_ORPHAN(SEVERITY_CRITICAL, "ab_permission_view_role", "role_id", "ab_role", FAILS),
	LINK_ORPHAN(SEVERITY_CRITICAL, "ab_user_role", "role_id", "ab_role", FAILS),
	LINK_ORPHAN(SEVERITY_CRITICAL, "ab_user_role", "user_id", "ab_user", FAILS),
};

/* The rows of a table that repeat an earlier one's keys. */
#define REPEATS(table, keys, order)                                                                \
	"(SELECT d.id FROM (SELECT id, row_number() OVER (PARTITION BY " keys " ORDER BY " order       \
	") AS n FROM {s}." table ") d WHERE d.n > 1)"

#define DUPLICATE(severity_, table_, columns_, keys_, what_, consequence_, hint_, fix_)            \
	{                                                                                              \
		.check_name = "fab_duplicates", .severity = severity_, .table = table_,                    \
		.columns = columns_, .keys = keys_, .what = "repeating " what_,                            \
		.consequence = consequence_, .hint = hint_, .fix = fix_                                    \
	}

#define LINK_DUPLICATE(table, keys)                                                                \
	DUPLICATE(SEVERITY_WARNING, table, keys, keys, keys, UNEXPECTED, NULL,                         \
			  "DELETE FROM {s}." table " r WHERE r.id IN " REPEATS(table, keys, "id") ";")

/* Rows that others refer to are given another name: nothing is lost, and it can be merged later. */
#define RENAME_HINT                                                                                \
	"fix_sql renames the later rows, so that nothing is lost. Decide first which row is in use."
#define RENAME(table, column, keys, keep)                                                          \
	"UPDATE {s}." table " r SET " column " = left(r." column ", " keep                             \
	") || ' (duplicate ' || r.id || ')' WHERE r.id IN " REPEATS(table, keys, "id") ";"
#define NAME_DUPLICATE(table, column, keep)                                                        \
	DUPLICATE(SEVERITY_WARNING, table, column, column, column, UNEXPECTED, RENAME_HINT,            \
			  RENAME(table, column, column, keep))

/* People who have not been let in yet can register again. */
#define REGISTER_DUPLICATE(column, keys, what)                                                     \
	DUPLICATE(SEVERITY_CRITICAL, "ab_register_user", column, keys, what, FAILS,                    \
			  "fix_sql keeps the latest registration of each.",                                    \
			  "DELETE FROM {s}.ab_register_user r WHERE r.id IN " REPEATS(                         \
				  "ab_register_user", keys, "registration_date DESC NULLS LAST, id DESC") ";")

/* The same permission twice: its roles get the one that stays, each once. */
#define PERMISSION_VIEW_KEEPERS                                                                    \
	"WITH k AS (SELECT id, min(id) OVER (PARTITION BY permission_id, view_menu_id) AS keep"        \
	" FROM {s}.ab_permission_view) "
#define MERGE_PERMISSION_VIEWS                                                                     \
	PERMISSION_VIEW_KEEPERS                                                                        \
	"DELETE FROM {s}.ab_permission_view_role r WHERE r.id IN (SELECT d.id FROM (SELECT v.id,"      \
	" row_number() OVER (PARTITION BY k.keep, v.role_id ORDER BY v.id) AS n"                       \
	" FROM {s}.ab_permission_view_role v JOIN k ON k.id = v.permission_view_id) d WHERE d.n > "    \
	"1); " PERMISSION_VIEW_KEEPERS                                                                 \
	"UPDATE {s}.ab_permission_view_role r SET permission_view_id = k.keep FROM k"                  \
	" WHERE k.id = r.permission_view_id AND k.id <> k.keep; " PERMISSION_VIEW_KEEPERS              \
	"DELETE FROM {s}.ab_permission_view r USING k WHERE k.id = r.id AND k.id <> k.keep;"

#define LOWER_USERNAME "lower((username)::text)"
#define SAME_BUT_FOR_CASE "username, upper and lower case aside"

static const Rule duplicate_rules[] = {
	REGISTER_DUPLICATE("email", "email", "email"),
	REGISTER_DUPLICATE("username", LOWER_USERNAME, SAME_BUT_FOR_CASE),
	NAME_DUPLICATE("ab_role", "name", "40"),
	NAME_DUPLICATE("ab_permission", "name", "70"),
	NAME_DUPLICATE("ab_view_menu", "name", "200"),
	NAME_DUPLICATE("ab_group", "name", "70"),
	DUPLICATE(SEVERITY_WARNING, "ab_permission_view", "permission_id, view_menu_id",
			  "permission_id, view_menu_id", "permission_id, view_menu_id", UNEXPECTED, NULL,
			  MERGE_PERMISSION_VIEWS),
	LINK_DUPLICATE("ab_user_group", "user_id, group_id"),
	LINK_DUPLICATE("ab_group_role", "group_id, role_id"),
	DUPLICATE(SEVERITY_CRITICAL, "ab_user", "username", LOWER_USERNAME, SAME_BUT_FOR_CASE, FAILS,
			  RENAME_HINT, RENAME("ab_user", "username", LOWER_USERNAME, "480")),
	NAME_DUPLICATE("ab_user", "email", "480"),
	LINK_DUPLICATE("ab_permission_view_role", "permission_view_id, role_id"),
	LINK_DUPLICATE("ab_user_role", "user_id, role_id"),
};

static void
read_revision(ProbeTable *table)
{
	query_run(
		psprintf("SELECT FROM %s WHERE version_num <> '" REVISION_BEFORE "'", table->sql_name),
		NULL, true, 1);
	*(bool *) table->arg = SPI_processed > 0;
}

/* Has FAB's 02ca36b0235b been done? Not while that cannot be read. */
static bool
is_migrated(Probe *probe)
{
	static const Rule rule = {
		.check_name = "fab_revision", .table = "alembic_version_fab", .columns = "version_num"};
	ProbeResult result;
	bool migrated = false;

	return probe_table(probe, &rule, read_revision, &migrated, &result) && migrated;
}

/* Apply the rules; an "ok" when all was read and there is nothing to complain about. */
static void
apply_rules(Probe *probe, const Rule *rules, int count, RuleFunction function, bool migrated)
{
	const char *check_name = rules[0].check_name;
	bool all_well = true;
	int applied = 0;

	for (int i = 0; i < count; i++)
	{
		Rule rule = rules[i];
		ProbeResult result;
		int before = list_length(probe->list->findings);

		if (migrated && rule.severity == SEVERITY_CRITICAL)
		{
			rule.severity = SEVERITY_WARNING;
			rule.consequence = UNEXPECTED;
		}
		if (probe_table(probe, &rule, function, NULL, &result))
		{
			probe_report(probe, &rule, &result);
			applied++;
		}
		all_well = all_well && list_length(probe->list->findings) == before;
	}
	if (all_well && applied > 0)
		findings_add(probe->list,
					 &(Finding){.check_name = check_name,
								.severity = SEVERITY_OK,
								.value = "0",
								.threshold = "0",
								.message = psprintf("%d rules about FAB's tables hold", applied)});
}

static void
check_fab_within(FindingList *list, const ProbeBudget *budget)
{
	Probe probe;
	bool migrated;

	if (!probe_begin(&probe, list, "fab", budget))
		return;
	probe.function = "airflow_pin.fab_report(max_rows => NULL, max_time => NULL)";
	if (!probe_has(&probe, "ab_user.id"))
	{
		findings_add(
			list, &(Finding){.check_name = "fab",
							 .severity = SEVERITY_OK,
							 .message = psprintf("schema \"%s\" has no FAB tables", probe.schema)});
		return;
	}
	migrated = is_migrated(&probe);
	probe.rules_left = 0;
	probe_expect(&probe, duplicate_rules, lengthof(duplicate_rules));
	probe_expect(&probe, null_rules, lengthof(null_rules));
	probe_expect(&probe, orphan_rules, lengthof(orphan_rules));
	apply_rules(&probe, duplicate_rules, lengthof(duplicate_rules), probe_count_duplicates,
				migrated);
	apply_rules(&probe, null_rules, lengthof(null_rules), probe_count_rows, migrated);
	apply_rules(&probe, orphan_rules, lengthof(orphan_rules), probe_count_rows, migrated);
}

void
check_fab(const Preflight *preflight)
{
	check_fab_within(preflight->findings, &(ProbeBudget){DEFAULT_MAX_ROWS, DEFAULT_MAX_MS});
}

PG_FUNCTION_INFO_V1(airflow_pin_fab_report);

/*
 * fab_report(max_rows bigint, max_time interval)
 */
Datum
airflow_pin_fab_report(PG_FUNCTION_ARGS)
{
	ProbeBudget budget = probe_budget(fcinfo);
	FindingList *list = findings_begin();

	result_rows_begin(fcinfo);
	check_fab_within(list, &budget);
	findings_emit(fcinfo, list, true);
	return (Datum) 0;
}
