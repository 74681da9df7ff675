/*
 * check_needed_names.c
 *		Checks: has everything the name by which the migration drops or needs it, and is it there
 *		once?
 *
 * A dump that was restored with errors lacks constraints; somebody has renamed one, or restored
 * twice.
 */
#include "postgres.h"

#include "health/finding.h"
#include "health/health_check.h"
#include "plan/pending.h"
#include "plan/plan_names.h"
#include "plan/plan_steps.h"
#include "preflight/checks.h"
#include "util/query.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/*
 * $1 to $6: for each name its table, type, name, definition, flags and the revision that fails; $7:
 * the schema.
 *
 * What is of a kind has the same "shape". Nothing here opens a table, as pg_get_indexdef() would,
 * and pg_get_constraintdef() of a CHECK; an index with an expression is known by its name only.
 */
#define NAMES                                                                                      \
	"WITH need AS (SELECT n.*, c.relname AS tab, CASE n.type WHEN 'p' THEN 'PRIMARY KEY'"          \
	"  WHEN 'f' THEN split_part(n.definition, ' REFERENCES ', 1)"                                  \
	"  WHEN 'u' THEN split_part(n.definition, ')', 1)"                                             \
	"  ELSE (n.definition LIKE 'CREATE UNIQUE%')::text"                                            \
	"   || split_part(substring(n.definition FROM ' USING .*'), ')', 1) END AS shape"              \
	"  FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY"                                        \
	"  n (relid, type, name, definition, flags, revision, number)"                                 \
	"  JOIN pg_class c ON c.oid = n.relid),"                                                       \
	" thing AS (SELECT k.conrelid AS relid, k.contype::text AS type, k.conname::text AS name,"     \
	"  CASE k.contype WHEN 'p' THEN 'PRIMARY KEY'"                                                 \
	"   WHEN 'f' THEN split_part(pg_get_constraintdef(k.oid), ' REFERENCES ', 1)"                  \
	"   ELSE split_part(pg_get_constraintdef(k.oid), ')', 1) END AS shape"                         \
	"  FROM pg_constraint k WHERE k.conrelid = ANY ($1) AND k.contype IN ('p', 'u', 'f')"          \
	" UNION ALL SELECT i.indrelid, 'i', c.relname, CASE WHEN i.indexprs IS NULL"                   \
	"   AND i.indpred IS NULL THEN i.indisunique::text"                                            \
	"   || (SELECT format(' USING %s (%s', m.amname, string_agg(quote_ident(a.attname), ', '"      \
	"     ORDER BY k.number)) FROM unnest(i.indkey::smallint[])"                                   \
	"     WITH ORDINALITY k (attnum, number)"                                                      \
	"    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"                   \
	"    WHERE k.number <= i.indnkeyatts) END"                                                     \
	"  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"    \
	"  WHERE i.indrelid = ANY ($1)"                                                                \
	"  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid"                       \
	"   AND k.contype IN ('p', 'u', 'x'))) "

#define KIND "CASE n.type WHEN 'i' THEN 'index' WHEN 'f' THEN 'foreign key' ELSE 'constraint' END"

/* Something else that has the name is renamed first; an index that the constraint can use is not. */
#define FREE_NAME                                                                                  \
	"coalesce((SELECT format('ALTER TABLE %I.%I RENAME CONSTRAINT %I TO %I; ', $7, n.tab, n.name," \
	"   left(n.name, 58) || '_kept') FROM pg_constraint k"                                         \
	"  WHERE k.conrelid = n.relid AND k.conname = n.name),"                                        \
	" (SELECT format('ALTER TABLE %I.%I RENAME TO %I; ', $7, n.name, left(n.name, 58) || '_kept')" \
	"  FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace AND s.nspname = $7"           \
	"  WHERE c.relname = n.name AND n.type <> 'f' AND using_index IS NULL), '')"

#define ADD                                                                                        \
	"CASE WHEN n.definition IS NULL THEN NULL WHEN n.type = 'i' THEN n.definition || ';'"          \
	" ELSE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s%s;', $7, n.tab, n.name,"                 \
	"  CASE WHEN using_index IS NULL THEN n.definition ELSE using_index END,"                      \
	"  CASE n.type WHEN 'f' THEN ' NOT VALID' END) END"

/*
 * Keys before the foreign keys that refer to them, each thing once. A thing that only has another
 * name gets its own again.
 */
static const char *const missing_sql = NAMES
	"SELECT * FROM (SELECT DISTINCT ON (n.relid, n.name)"
	"  upper(" KIND ") || ' ' || n.name || ' ON ' || n.tab,"
	"  split_part(n.revision, ' ', 2), CASE WHEN o.name IS NULL"
	"   THEN format('%s %s of %s is missing, and %s, which needs it, fails',"
	"    " KIND ", n.name, n.tab, n.revision)"
	"   ELSE format('%s %s of %s is called %s here, and %s, which needs it by its name, fails',"
	"    " KIND ", n.name, n.tab, o.name, n.revision) END,"
	"  " FREE_NAME " || CASE WHEN o.name IS NULL THEN " ADD
	"   WHEN n.type = 'i' THEN format('ALTER INDEX %I.%I RENAME TO %I;', $7, o.name, n.name)"
	"   ELSE format('ALTER TABLE %I.%I RENAME CONSTRAINT %I TO %I;',"
	"    $7, n.tab, o.name, n.name) END,"
	"  n.type = 'f' AS later, n.number"
	"  FROM need n LEFT JOIN LATERAL (SELECT t.name FROM thing t WHERE t.relid = n.relid"
	"    AND t.type = n.type AND t.shape = n.shape AND NOT EXISTS (SELECT FROM need other"
	"     WHERE other.relid = t.relid AND other.name = t.name) ORDER BY t.name LIMIT 1) o ON true"
	"  LEFT JOIN LATERAL (SELECT format('%s USING INDEX %I', CASE n.type"
	"     WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, t.name) AS using_index FROM thing t JOIN "
	"pg_index i"
	"    ON i.indrelid = t.relid JOIN pg_class c ON c.oid = i.indexrelid AND c.relname = t.name"
	"    WHERE t.relid = n.relid AND t.type = 'i' AND t.name = n.name AND n.type IN ('p', 'u')"
	"    AND i.indisunique AND i.indexprs IS NULL AND i.indpred IS NULL) u ON true"
	"  WHERE NOT EXISTS (SELECT FROM thing t WHERE t.relid = n.relid AND t.type = n.type"
	"    AND t.name = n.name) AND n.flags & CASE WHEN o.name IS NULL THEN 2 ELSE 1 END <> 0"
	"  ORDER BY n.relid, n.name, n.number) found ORDER BY later, number";

/* A twin that a name of Airflow's stands for is not looked for: an earlier revision may drop both. */
static const char *const twins_sql = NAMES
	"SELECT DISTINCT ON (n.relid, t.name) 'FOREIGN KEY ' || t.name || ' ON ' || n.tab,"
	" split_part(n.revision, ' ', 2),"
	" format('foreign key %s of %s has the same columns as %s, and %s, which expects one, fails',"
	"  t.name, n.tab, n.name, n.revision),"
	" format('ALTER TABLE %I.%I DROP CONSTRAINT %I;', $7, n.tab, t.name)"
	" FROM need n JOIN thing t ON t.relid = n.relid AND t.type = 'f' AND t.shape = n.shape"
	"  AND t.name <> n.name AND CASE WHEN t.name COLLATE \"C\" < n.name THEN n.flags & 4"
	"   ELSE n.flags & 8 END <> 0"
	" WHERE n.type = 'f' AND EXISTS (SELECT FROM thing s WHERE s.relid = n.relid AND s.type = 'f'"
	"  AND s.name = n.name) AND NOT EXISTS (SELECT FROM need other WHERE other.relid = t.relid"
	"  AND other.name = t.name)"
	" ORDER BY n.relid, t.name, n.number";

StaticAssertDecl(NAME_NEEDED == 1 && NAME_THING_NEEDED == 2 && NAME_TWIN_BEFORE == 4 &&
					 NAME_TWIN_AFTER == 8,
				 "the flags are those of the queries");

/* A definition of the plan's as it is in that schema. */
static const char *
in_schema(const char *definition, const char *schema)
{
	const char *quoted = quote_identifier(schema);
	StringInfoData text;
	const char *place;

	if (definition == NULL)
		return NULL;
	initStringInfo(&text);
	while ((place = strstr(definition, "{schema}")) != NULL)
	{
		appendBinaryStringInfo(&text, definition, place - definition);
		appendStringInfoString(&text, quoted);
		definition = place + strlen("{schema}");
	}
	appendStringInfoString(&text, definition);
	return text.data;
}

static const char *
revision_text(const PlanEntry *revision)
{
	return psprintf("revision %s of %s %s", revision->revision,
					revision->component == COMPONENT_CORE ? "Airflow" : "FAB", revision->version);
}

/* The names as six arrays, then the schema. */
static void
arg_names(QueryArgs *args, List *pending, const char *schema)
{
	static const Oid types[] = {OIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID};
	int size = list_length(pending) + 1;
	Datum *values[lengthof(types)];
	bool *nulls = palloc0(size * sizeof(bool));
	bool *no_definition = palloc0(size * sizeof(bool));
	int count = 0;
	ListCell *cell;

	for (int i = 0; i < (int) lengthof(types); i++)
		values[i] = palloc0(size * sizeof(Datum));
	foreach (cell, pending)
	{
		const PendingName *name = lfirst(cell);
		const char *definition = in_schema(name->definition, schema);

		values[0][count] = ObjectIdGetDatum(name->relation);
		values[1][count] = CStringGetTextDatum(((char[]){name->type, '\0'}));
		values[2][count] = CStringGetTextDatum(name->name);
		no_definition[count] = definition == NULL;
		if (definition != NULL)
			values[3][count] = CStringGetTextDatum(definition);
		values[4][count] = Int32GetDatum(name->flags);
		values[5][count++] = CStringGetTextDatum(revision_text(name->revision));
	}
	for (int i = 0; i < (int) lengthof(types); i++)
		arg_array(args, types[i], values[i], i == 3 ? no_definition : nulls, count);
	arg_text(args, schema);
}

typedef struct NameCheck
{
	const char *name;
	const char *sql;
	const char *hint;
	const char *none; /* the message when nothing is found */
} NameCheck;

static const NameCheck name_checks[] = {
	{"needed_names", missing_sql,
	 "A dump that was restored with errors lacks such things, and the rows may not fit them any "
	 "more: ask preflight() again afterwards. A foreign key is made NOT VALID: the migration drops "
	 "it.",
	 "everything that the migration drops or needs by its name has that name"},
	{"repeated_keys", twins_sql,
	 "It is not Airflow's: a restore that was done twice, or somebody, has made it.",
	 "no foreign key that the migration drops is there twice"},
};

void
check_needed_names(const Preflight *preflight)
{
	const char *schema = preflight->schema;
	List *pending = list_concat(pending_names(COMPONENT_CORE, schema, preflight->target),
								pending_names(COMPONENT_FAB, schema, preflight->target));
	QueryArgs args = {0};

	arg_names(&args, pending, schema);
	for (int i = 0; i < (int) lengthof(name_checks); i++)
	{
		const NameCheck *check = &name_checks[i];

		query_run(check->sql, &args, true, 0);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			Finding finding = {.check_name = check->name, .severity = SEVERITY_CRITICAL};

			finding.object = row_text(row, 1);
			finding.value = row_text(row, 2);
			finding.message = row_text(row, 3);
			finding.hint = check->hint;
			finding.fix_sql = row_text(row, 4);
			findings_add(preflight->findings, &finding);
		}
		if (SPI_processed == 0)
			findings_add(preflight->findings,
						 &(Finding){.check_name = check->name, .message = check->none});
	}
}
