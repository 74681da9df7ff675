/*
 * check_sequences.c
 *		Check: are ids about to run out?
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "preflight/checks.h"
#include "relation/try_lock.h"
#include "util/owner_scope.h"
#include "util/query.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#define NEARLY_USED 0.8

/*
 * The sequences of Airflow's tables with the last value that their column takes. FAB's are not
 * owned by their columns, which are integers.
 */
static const char *const sequences_sql =
	"SELECT s.oid, quote_ident(n.nspname) || '.' || quote_ident(s.relname),"
	" COALESCE(t.relname || '.' || a.attname, s.relname)::text,"
	" CASE WHEN a.atttypid = 'bigint'::regtype THEN q.seqmax ELSE least(q.seqmax, 2147483647) END"
	" FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid"
	" JOIN pg_namespace n ON n.oid = s.relnamespace"
	" LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid"
	"  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
	" LEFT JOIN pg_class t ON t.oid = d.refobjid"
	" LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
	" WHERE d.refobjid = ANY ($1) OR (d.objid IS NULL AND n.nspname = $2 AND s.relname ~ '^ab_')"
	" ORDER BY 3";

typedef struct Sequence
{
	Oid oid;
	const char *sql_name;
	const char *column;
	int64 max;
} Sequence;

static List *
airflow_sequences(const char *schema)
{
	List *sequences = NIL;
	QueryArgs args = {0};

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(schema)));
	arg_text(&args, schema);
	query_run(sequences_sql, &args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Sequence *sequence = palloc(sizeof(Sequence));

		sequence->oid = row_oid(row, 1);
		sequence->sql_name = row_required_text(row, 2);
		sequence->column = row_required_text(row, 3);
		sequence->max = row_bigint(row, 4);
		sequences = lappend(sequences, sequence);
	}
	return sequences;
}

static int64
last_value(const Sequence *sequence)
{
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, sequence->oid);
	query_run(psprintf("SELECT last_value FROM %s", sequence->sql_name), NULL, true, 1);
	owner_scope_leave(&scope);
	return row_bigint(0, 1);
}

static void
add_unknown(FindingList *findings, const Sequence *sequence)
{
	findings_add(findings,
				 &(Finding){.check_name = "sequences",
							.severity = SEVERITY_UNKNOWN,
							.object = sequence->column,
							.message = psprintf("sequence %s is locked by %s", sequence->sql_name,
												reading_blockers(sequence->oid)),
							.hint = "Ask again later; airflow_pin.locks() shows what "
									"goes on."});
}

static void
add_nearly_used(FindingList *findings, const Sequence *sequence, int64 used)
{
	Finding finding = {.check_name = "sequences", .severity = SEVERITY_WARNING};

	finding.object = sequence->column;
	finding.value = psprintf(INT64_FORMAT, used);
	finding.threshold = psprintf("80 %% of " INT64_FORMAT, sequence->max);
	finding.message = psprintf("%.0f %% of the ids of %s are used", 100.0 * used / sequence->max,
							   sequence->column);
	finding.hint = "When they are used up, every insert fails. Empty the table and restart its "
				   "sequence, or make the column a bigint, in the maintenance window.";
	findings_add(findings, &finding);
}

void
check_sequences(const Preflight *preflight)
{
	List *sequences = airflow_sequences(preflight->schema);
	int found = 0;
	ListCell *cell;

	foreach (cell, sequences)
	{
		const Sequence *sequence = lfirst(cell);
		int64 used;

		if (!try_lock_for_reading(sequence->oid))
		{
			add_unknown(preflight->findings, sequence);
			found++;
			continue;
		}
		used = last_value(sequence);
		if (used < NEARLY_USED * sequence->max)
			continue;
		add_nearly_used(preflight->findings, sequence, used);
		found++;
	}
	if (found == 0)
		findings_add(preflight->findings,
					 &(Finding){.check_name = "sequences",
								.value = psprintf("%d", list_length(sequences)),
								.message = "no sequence of Airflow's tables is near its end"});
}
