/*
 * check_sizes.c
 *		Checks: which tables take long to rewrite, what is only in the way, and is there space?
 */
#include "checks.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "port.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "health/relation_size.h"
#include "health/relations.h"
#include "util/interval.h"

#define GIGABYTE ((int64) 1024 * 1024 * 1024)
#define LARGE_TABLE (10 * GIGABYTE)
#define LARGE_LEFTOVER GIGABYTE
#define MANY_DEAD_ROWS 1000000

static const char *
pretty(int64 bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)));
}

static const char *
pretty_seconds(double seconds)
{
	return DatumGetCString(DirectFunctionCall1(
		interval_out, PointerGetDatum(interval_of_seconds((double) (int64) (seconds + 1)))));
}

static void
add_large_table(FindingList *findings, const AirflowRelation *relation, int64 total)
{
	double seconds = rewrite_seconds(total);
	Finding finding = {.check_name = "table_sizes", .severity = SEVERITY_WARNING};

	finding.object = relation->name;
	finding.value = pretty(total);
	finding.threshold = pretty(LARGE_TABLE);
	finding.message = psprintf("a migration step that rewrites %s takes %s to %s", relation->name,
							   pretty_seconds(seconds), pretty_seconds(2 * seconds));
	finding.hint =
		"Remove old rows first: airflow db clean, then VACUUM (FULL) of the table in the "
		"maintenance window.";
	findings_add(findings, &finding);
}

static void
add_leftover(FindingList *findings, const char *schema, const AirflowRelation *relation,
			 int64 total)
{
	Finding finding = {.check_name = "leftovers"};

	finding.severity = total >= LARGE_LEFTOVER ? SEVERITY_WARNING : SEVERITY_INFO;
	finding.object = relation->name;
	finding.value = pretty(total);
	finding.threshold = pretty(LARGE_LEFTOVER);
	finding.message = "rows that an earlier migration or \"airflow db clean\" set aside";
	finding.hint = "Airflow does not read them: keep what you need elsewhere, then drop the table.";
	finding.fix_sql =
		psprintf("DROP TABLE %s;", quote_qualified_identifier(schema, relation->name));
	findings_add(findings, &finding);
}

static void
add_dead_rows(FindingList *findings, const char *schema, const AirflowRelation *relation,
			  const RelationSize *size)
{
	int64 dead = DatumGetInt64(
		DirectFunctionCall1(pg_stat_get_dead_tuples, ObjectIdGetDatum(relation->oid)));
	Finding finding = {.check_name = "dead_rows", .severity = SEVERITY_WARNING};

	if (dead < MANY_DEAD_ROWS || dead < size->estimated_rows / 5)
		return;
	finding.object = relation->name;
	finding.value = psprintf(INT64_FORMAT, dead);
	finding.threshold = psprintf("%d and a fifth of the rows", MANY_DEAD_ROWS);
	finding.message = psprintf("%s has " INT64_FORMAT " dead rows", relation->name, dead);
	finding.hint = "Steps that scan the table read them all.";
	finding.fix_sql =
		psprintf("VACUUM (ANALYZE) %s;", quote_qualified_identifier(schema, relation->name));
	findings_add(findings, &finding);
}

void
check_table_sizes(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	const char *schema = preflight->schema;
	int64 all = 0;
	Finding finding = {.check_name = "table_sizes", .object = schema};
	ListCell *cell;

	foreach (cell, airflow_relations(schema))
	{
		const AirflowRelation *relation = lfirst(cell);
		RelationSize size = relation_size(relation->oid);
		int64 total = relation_total_bytes(&size);

		all += total;
		if (!relation->leftover && total >= LARGE_TABLE)
			add_large_table(findings, relation, total);
		add_dead_rows(findings, schema, relation, &size);
	}
	finding.value = pretty(all);
	finding.message = "size of all tables of Airflow and FAB";
	findings_add(findings, &finding);
}

void
check_leftovers(const Preflight *preflight)
{
	int found = 0;
	ListCell *cell;

	foreach (cell, airflow_relations(preflight->schema))
	{
		const AirflowRelation *relation = lfirst(cell);
		RelationSize size;

		if (!relation->leftover)
			continue;
		size = relation_size(relation->oid);
		add_leftover(preflight->findings, preflight->schema, relation, relation_total_bytes(&size));
		found++;
	}
	if (found == 0)
		findings_add(preflight->findings,
					 &(Finding){.check_name = "leftovers",
								.message = "no table is left from an earlier migration"});
}

/* The table whose rewrite needs most space; InvalidOid when there is none. */
static Oid
largest_table(const char *schema, int64 *bytes)
{
	Oid largest = InvalidOid;
	ListCell *cell;

	*bytes = -1;
	foreach (cell, airflow_relations(schema))
	{
		const AirflowRelation *relation = lfirst(cell);
		RelationSize size = relation_size(relation->oid);
		int64 total = relation_total_bytes(&size);

		if (!relation->leftover && size.heap + size.indexes > 0 && total > *bytes)
		{
			largest = relation->oid;
			*bytes = total;
		}
	}
	return largest;
}

/* Free bytes of the file system of a directory, for those who are not root; -1: it does not say. */
static int64
free_bytes(const char *directory)
{
	struct statvfs status;

	if (statvfs(directory, &status) != 0)
		return -1;
	return (int64) status.f_bavail * (int64) status.f_frsize;
}

static bool
same_file_system(const char *one, const char *other)
{
	struct stat status_one;
	struct stat status_other;

	return stat(one, &status_one) == 0 && stat(other, &status_other) == 0 &&
		   status_one.st_dev == status_other.st_dev;
}

static void
add_space(FindingList *findings, const char *object, const char *directory, int64 needed,
		  const char *message)
{
	int64 available = free_bytes(directory);
	Finding finding = {.check_name = "disk_space", .object = object, .message = message};

	if (available < 0)
		finding.severity = SEVERITY_UNKNOWN;
	else if (available < needed)
		finding.severity = SEVERITY_CRITICAL;
	else
		finding.severity = available < 2 * needed ? SEVERITY_WARNING : SEVERITY_OK;
	finding.value = available < 0 ? NULL : psprintf("%s free", pretty(available));
	finding.threshold = pretty(needed);
	finding.hint =
		finding.severity == SEVERITY_OK
			? NULL
			: "Free space, or remove old rows first: airflow db clean, then VACUUM (FULL).";
	findings_add(findings, &finding);
}

/*
 * A rewrite makes a second copy of the table beside the old one, and WAL of about the same size.
 */
void
check_disk_space(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	int64 bytes;
	Oid relation = largest_table(preflight->schema, &bytes);
	char *directory = OidIsValid(relation) ? relation_file_path(relation) : NULL;
	bool one_file_system;
	const char *what;

	if (directory == NULL)
		return;
	get_parent_directory(directory);
	one_file_system = same_file_system(directory, "pg_wal");
	what = psprintf("a rewrite of %s, the largest table, needs a second copy of it%s",
					get_rel_name(relation),
					one_file_system ? ", and as much again for WAL on the same file system" : "");
	add_space(findings, "data", directory, one_file_system ? 2 * bytes : bytes, what);
	if (!one_file_system)
		add_space(findings, "pg_wal", "pg_wal", bytes,
				  psprintf("a rewrite of %s, the largest table, writes as much WAL",
						   get_rel_name(relation)));
}
