/*
 * check_sizes.c
 *		Checks: which tables take long to rewrite, and what is only in the way?
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "plan/written_tables.h"
#include "preflight/checks.h"
#include "relation/relation.h"
#include "relation/relation_size.h"
#include "util/guarded.h"
#include "util/interval.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define GIGABYTE ((int64) 1024 * 1024 * 1024)
#define LARGE_TABLE (10 * GIGABYTE)
#define LARGE_LEFTOVER GIGABYTE
#define MANY_DEAD_ROWS 1000000

static const char *
pretty_seconds(double seconds)
{
	return DatumGetCString(DirectFunctionCall1(
		interval_out, PointerGetDatum(interval_of_seconds((double) (int64) (seconds + 1)))));
}

/* What the pending steps write anew, as far as they are known. */
typedef struct Written
{
	const Preflight *preflight;
	bool known;
	List *relations; /* OIDs, of partitions too */
} Written;

/* GuardedCall */
static void
find_written(void *arg)
{
	Written *written = arg;
	ListCell *cell;

	foreach (cell, written_tables(written->preflight->schema, written->preflight->target))
		written->relations =
			list_concat_unique_oid(written->relations, table_and_partitions(lfirst_oid(cell)));
	written->known = true;
}

static void
add_large_table(const Written *written, const AirflowRelation *relation, int64 total)
{
	double seconds = rewrite_seconds(total);
	Finding finding = {.check_name = "table_sizes", .severity = SEVERITY_WARNING};

	finding.object = relation->name;
	finding.value = pretty_bytes(total);
	finding.threshold = pretty_bytes(LARGE_TABLE);
	if (written->known && !list_member_oid(written->relations, relation->oid))
	{
		finding.severity = SEVERITY_INFO;
		finding.message =
			psprintf("%s is large, but no step to Airflow %s rewrites it or updates all its rows",
					 relation->name, written->preflight->target->name);
	}
	else
	{
		finding.message =
			psprintf("a migration step that rewrites %s takes %s to %s", relation->name,
					 pretty_seconds(seconds), pretty_seconds(2 * seconds));
		finding.hint =
			"Remove old rows first: airflow db clean, then VACUUM (FULL) of the table in the "
			"maintenance window.";
	}
	findings_add(written->preflight->findings, &finding);
}

static void
add_leftover(FindingList *findings, const AirflowRelation *relation, int64 total)
{
	Finding finding = {.check_name = "leftovers"};

	finding.severity = total >= LARGE_LEFTOVER ? SEVERITY_WARNING : SEVERITY_INFO;
	finding.object = relation->name;
	finding.value = pretty_bytes(total);
	finding.threshold = pretty_bytes(LARGE_LEFTOVER);
	finding.message = "rows that an earlier migration or \"airflow db clean\" set aside";
	finding.hint = "Airflow does not read them: keep what you need elsewhere, then drop the table.";
	finding.fix_sql = psprintf("DROP TABLE %s;", qualified_name(relation));
	findings_add(findings, &finding);
}

static void
add_dead_rows(FindingList *findings, const AirflowRelation *relation, const RelationSize *size)
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
	finding.fix_sql = psprintf("VACUUM (ANALYZE) %s;", qualified_name(relation));
	findings_add(findings, &finding);
}

void
check_table_sizes(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	const char *schema = preflight->schema;
	Written written = {.preflight = preflight};
	int64 all = 0;
	Finding finding = {.check_name = "table_sizes", .object = schema};
	ListCell *cell;

	/* Where it fails, the checks of the revision and of disk space say why. */
	(void) guarded_call(find_written, &written);
	foreach (cell, airflow_relations(schema))
	{
		const AirflowRelation *relation = lfirst(cell);
		RelationSize size = relation_size(relation->oid);
		int64 total = relation_total_bytes(&size);

		all += total;
		if (!relation->leftover && total >= LARGE_TABLE)
			add_large_table(&written, relation, total);
		add_dead_rows(findings, relation, &size);
	}
	finding.value = pretty_bytes(all);
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
		add_leftover(preflight->findings, relation, relation_total_bytes(&size));
		found++;
	}
	if (found == 0)
		findings_add(preflight->findings,
					 &(Finding){.check_name = "leftovers",
								.message = "no table is left from an earlier migration"});
}
