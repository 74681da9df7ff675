/*
 * check_dependents.c
 *		Checks: what hangs on Airflow's tables that is not Airflow's, and would make a migration's
 *		ALTER TABLE fail?
 *
 * It does where the migration drops or retypes the column, or drops the constraint, that the thing
 * depends on: the plan knows them. Without a plan everything is a warning, and nothing is proposed:
 * the tables may be those of a newer Airflow, which has things of its own there.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/catalog_check.h"
#include "health/health_check.h"
#include "plan/pending.h"
#include "plan/plan_steps.h"
#include "plan/plan_walk.h"
#include "preflight/checks.h"
#include "util/guarded.h"
#include "util/query.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* The search for the plan's changes; stays NIL and unknown when there is no plan. */
typedef struct ChangeSearch
{
	const Preflight *preflight;
	List *changes;
} ChangeSearch;

/*
 * Revision 0042 drops this one with CASCADE (0042_3_0_0_add_uuid_primary_key_to_task_instance_.py):
 * no error, but what depends on it is gone.
 */
#define CASCADES "'CONSTRAINT task_instance_pkey'"

/*
 * $1: Airflow's tables; $2 and $3: what the plan changes of which table; $4: is there a plan?
 *
 * Dependencies on columns and constraints, with what is depended on as the plan names it. What
 * names no column, as count(*) does, depends on the table only. An index, constraint or statistics
 * object goes with a column that is dropped, so only another type counts.
 */
#define DEPENDENCIES                                                                               \
	"WITH dependency AS ("                                                                         \
	" SELECT d.classid, d.objid, d.refobjid AS relid,"                                             \
	"  CASE WHEN d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass,"                   \
	"   'pg_statistic_ext'::regclass) THEN 'RETYPED ' ELSE 'COLUMN ' END || a.attname AS what"     \
	"  FROM pg_depend d"                                                                           \
	"  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"                \
	"  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1)"                        \
	" UNION SELECT d.classid, d.objid, d.refobjid, 'TABLE' FROM pg_depend d"                       \
	"  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1)"                        \
	"  AND d.refobjsubid = 0 AND d.deptype = 'n'"                                                  \
	" UNION SELECT d.classid, d.objid, t.oid, CASE d.classid WHEN 'pg_class'::regclass"            \
	"   THEN 'ROW' ELSE 'TABLE' END FROM pg_class t JOIN pg_type y ON y.oid = t.reltype"           \
	"  JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass"                                     \
	"   AND d.refobjid IN (y.oid, y.typarray) WHERE t.oid = ANY ($1) AND d.deptype = 'n'"          \
	" UNION SELECT d.classid, d.objid, k.conrelid, 'CONSTRAINT ' || k.conname"                     \
	"  FROM pg_depend d JOIN pg_constraint k ON k.oid = d.refobjid"                                \
	"  WHERE d.refclassid = 'pg_constraint'::regclass AND k.conrelid = ANY ($1)"                   \
	" UNION SELECT 'pg_constraint'::regclass, k.oid, k.confrelid, p.what FROM pg_constraint k,"    \
	"  LATERAL (SELECT 'COLUMN ' || a.attname FROM pg_attribute a WHERE a.attrelid = k.confrelid"  \
	"   AND a.attnum = ANY (k.confkey) UNION SELECT 'CONSTRAINT ' || u.conname"                    \
	"   FROM pg_constraint u WHERE u.conindid = k.conindid AND u.contype IN ('p', 'u')) p (what)"  \
	"  WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = ANY ($1)"                     \
	"  AND k.conrelid <> ALL ($1)),"                                                               \
	" dependent AS ("                                                                              \
	" SELECT d.classid, d.objid, string_agg(DISTINCT t.relname, ', ') AS tables,"                  \
	"  string_agg(DISTINCT concat_ws('.', t.relname, substring(d.what FROM ' (.*)')), ', ')"       \
	"   FILTER (WHERE c.what <> " CASCADES ") AS changed,"                                         \
	"  bool_or(c.what = " CASCADES ") IS TRUE AS lost"                                             \
	"  FROM dependency d JOIN pg_class t ON t.oid = d.relid"                                       \
	"  LEFT JOIN unnest($2, $3) c (relid, what) ON c.relid = d.relid"                              \
	"   AND c.what IN ('TABLE', d.what) GROUP BY d.classid, d.objid) "

/*
 * Views that depend on one that a rule belongs to, directly or not, and the statements that drop
 * them and then it, the farthest first. IF EXISTS: a view on two others is in the list of both.
 * Two views can be made to depend on each other, hence a limit.
 */
#define DROP_VIEW                                                                                  \
	"(WITH RECURSIVE above AS (SELECT v.oid, 0 AS distance UNION"                                  \
	"  SELECT w.ev_class, a.distance + 1 FROM above a JOIN pg_depend b ON b.refobjid = a.oid"      \
	"  AND b.refclassid = 'pg_class'::regclass AND b.classid = 'pg_rewrite'::regclass"             \
	"  JOIN pg_rewrite w ON w.oid = b.objid AND w.ev_class <> a.oid"                               \
	"  WHERE a.distance < 32)"                                                                     \
	" SELECT string_agg(format('DROP %s IF EXISTS %I.%I;', CASE c.relkind WHEN 'v' THEN 'VIEW'"    \
	"  ELSE 'MATERIALIZED VIEW' END, m.nspname, c.relname), ' '"                                   \
	"  ORDER BY f.distance DESC, c.oid)"                                                           \
	" FROM (SELECT oid, max(distance) AS distance FROM above GROUP BY oid) f"                      \
	" JOIN pg_class c ON c.oid = f.oid AND c.relkind IN ('v', 'm')"                                \
	" JOIN pg_namespace m ON m.oid = c.relnamespace)"

#define SEVERITY                                                                                   \
	"CASE WHEN d.changed IS NOT NULL THEN 'critical'"                                              \
	" WHEN $4 AND NOT d.lost THEN 'info' ELSE 'warning' END"

/* After "view x", say. */
#define CONSEQUENCE                                                                                \
	"CASE WHEN d.changed IS NOT NULL"                                                              \
	" THEN ' depends on what the migration drops or alters, and makes it fail: ' || d.changed"     \
	" WHEN d.lost THEN ' goes without a word: step 0042 drops task_instance''s primary key, on"    \
	" which it depends, with CASCADE'"                                                             \
	" WHEN $4 THEN ' depends on nothing that the migration drops or alters'"                       \
	" ELSE ' may depend on what the migration drops or alters' END"

/*
 * Tables whose replica identity is an index that the migration drops, alone, with its constraint or
 * with a column; and who publishes updates or deletions of them. From then on the server refuses
 * both where the replica identity is a named index, is not within the column list, or does not
 * cover the row filter: CheckCmdReplicaIdentity() is called for each UPDATE, also one of no row.
 */
#define PUBLISHED                                                                                  \
	"WITH change AS (SELECT * FROM unnest($2, $3) c (relid, what)),"                               \
	" identity AS (SELECT t.oid AS relid, t.relname, n.oid AS nspid, n.nspname, i.relname AS key," \
	"  t.relreplident = 'i' AS named"                                                              \
	"  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace"                              \
	"  JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid"              \
	"  WHERE t.oid = ANY ($1) AND CASE t.relreplident WHEN 'i' THEN x.indisreplident"              \
	"   WHEN 'd' THEN x.indisprimary END AND EXISTS (SELECT FROM change c WHERE c.relid = t.oid"   \
	"   AND (c.what IN ('INDEX ' || i.relname, 'CONSTRAINT ' || i.relname) OR c.what IN"           \
	"    (SELECT 'DROPPED ' || a.attname FROM pg_attribute a WHERE a.attrelid = t.oid"             \
	"     AND a.attnum = ANY (x.indkey))))),"                                                      \
	" published AS (SELECT i.*, p.pubname, p.pubupdate, p.pubdelete,"                              \
	"  r.prqual IS NOT NULL OR r.prattrs IS NOT NULL AS part,"                                     \
	"  r.prqual IS NULL AND (SELECT bool_and(r.prattrs IS NULL"                                    \
	"    OR (a.attnum = ANY (r.prattrs)) IS TRUE) FROM change c LEFT JOIN pg_attribute a"          \
	"    ON a.attrelid = c.relid AND c.what = 'PRIMARY KEY ' || a.attname"                         \
	"    WHERE c.relid = i.relid AND c.what LIKE 'PRIMARY KEY %') IS TRUE AS fits"                 \
	"  FROM identity i CROSS JOIN pg_publication p"                                                \
	"  LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = i.relid"                \
	"  LEFT JOIN pg_publication_namespace s ON s.pnpubid = p.oid AND s.pnnspid = i.nspid"          \
	"  WHERE (p.pubupdate OR p.pubdelete)"                                                         \
	"  AND (p.puballtables <> (r.oid IS NOT NULL) OR s.oid IS NOT NULL)) "

/* clang-format off */
static const CatalogCheck dependent_checks[] = {
	{"dependent_views",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", x.name, d.tables, NULL, x.name || " CONSEQUENCE
	 ", CASE WHEN v.relkind IN ('v', 'm') THEN " DROP_VIEW
	 " ELSE format('DROP RULE %I ON %I.%I;', r.rulename, n.nspname, v.relname) END"
	 " FROM dependent d JOIN pg_rewrite r ON r.oid = d.objid"
	 " JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace n ON n.oid = v.relnamespace,"
	 " LATERAL (SELECT CASE v.relkind WHEN 'v' THEN format('VIEW %I.%I', n.nspname, v.relname)"
	 "  WHEN 'm' THEN format('MATERIALIZED VIEW %I.%I', n.nspname, v.relname)"
	 "  ELSE format('RULE %I ON %I', r.rulename, v.relname) END AS name) x"
	 " WHERE d.classid = 'pg_rewrite'::regclass ORDER BY 2",
	 "no view or rule depends on a table of Airflow",
	 "Keep its definition, drop it, and make it again after the migration."},
	{"foreign_triggers",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", format('TRIGGER %I ON %I', g.tgname, t.relname), NULL, NULL,"
	 " format('trigger %I on %s', g.tgname, t.relname) || " CONSEQUENCE ","
	 " format('DROP TRIGGER %I ON %I.%I;', g.tgname, n.nspname, t.relname)"
	 " FROM dependent d JOIN pg_trigger g ON g.oid = d.objid JOIN pg_class t ON t.oid = g.tgrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE d.classid = 'pg_trigger'::regclass AND NOT g.tgisinternal ORDER BY 2",
	 "no trigger depends on a column of Airflow's tables",
	 "Drop it, and make it again after the migration."},
	{"deferred_triggers",
	 "SELECT 'warning', format('TRIGGER %I ON %I', g.tgname, t.relname), NULL, NULL,"
	 " format('trigger %I on %s is deferrable: where a step changes rows and then the table, it"
	 " fails with \"pending trigger events\"', g.tgname, t.relname),"
	 " format('DROP TRIGGER %I ON %I.%I;', g.tgname, n.nspname, t.relname)"
	 " FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE g.tgrelid = ANY ($1) AND NOT g.tgisinternal AND g.tgdeferrable ORDER BY 2",
	 "no deferrable trigger is on a table of Airflow",
	 "Drop it, and make it again after the migration."},
	{"publications",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", format('PUBLICATION %I', p.pubname), t.relname::text, NULL,"
	 " format('publication %I of %s with a column list or row filter', p.pubname, t.relname) "
	 "|| " CONSEQUENCE
	 ", format('ALTER PUBLICATION %I DROP TABLE %I.%I;', p.pubname, n.nspname, t.relname)"
	 " FROM dependent d JOIN pg_publication_rel r ON r.oid = d.objid"
	 " JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class t ON t.oid = r.prrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE d.classid = 'pg_publication_rel'::regclass ORDER BY 2, 3",
	 "no publication depends on a column of Airflow's tables",
	 "Take the table out, and add it again after the migration."},
	{"replica_identity",
	 PUBLISHED
	 "SELECT CASE WHEN p.pubupdate THEN 'critical' ELSE 'warning' END,"
	 " format('PUBLICATION %I', p.pubname), p.relname::text, NULL,"
	 " format('publication %I relies on replica identity %I of %s, which the migration drops%s:"
	 " %s of it fails from then on', p.pubname, p.key, p.relname, CASE WHEN NOT p.fits AND p.part"
	 "  THEN ', and has a column list or row filter that does not fit the new one' ELSE '' END,"
	 "  concat_ws(' or ', CASE WHEN p.pubupdate THEN 'UPDATE' END,"
	 "   CASE WHEN p.pubdelete THEN 'DELETE' END)),"
	 " CASE WHEN NOT p.fits AND p.part"
	 "  THEN format('ALTER PUBLICATION %I DROP TABLE %I.%I;', p.pubname, p.nspname, p.relname)"
	 "  ELSE format('ALTER TABLE %I.%I REPLICA IDENTITY DEFAULT;', p.nspname, p.relname) END"
	 " FROM published p WHERE p.named OR NOT p.fits ORDER BY 2, 3",
	 "no publication needs a replica identity that the migration drops",
	 "Take the table out and add it again after the migration, or let it publish insert and truncate"
	 " only. A row filter also holds with REPLICA IDENTITY FULL."},
	{"foreign_keys",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", format('CONSTRAINT %I ON %s', k.conname, k.conrelid::regclass),"
	 " t.relname::text, NULL, format('foreign key %I of %s, to %s,', k.conname,"
	 "  k.conrelid::regclass, t.relname) || " CONSEQUENCE ","
	 " format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname)"
	 " FROM dependent d JOIN pg_constraint k ON k.oid = d.objid JOIN pg_class t ON t.oid = "
	 "k.confrelid"
	 " WHERE d.classid = 'pg_constraint'::regclass AND k.contype = 'f' AND k.conparentid = 0"
	 " AND k.conrelid <> ALL ($1) AND ($4 OR NOT EXISTS (SELECT FROM pg_class o"
	 "  WHERE o.oid = k.conrelid AND o.relnamespace = t.relnamespace AND o.relowner = t.relowner))"
	 " ORDER BY 2",
	 "no foreign key of another table refers to Airflow's",
	 "Drop it, and make it again after the migration."},
	{"dependent_expressions",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", x.name, d.tables, NULL, x.name || CASE WHEN d.classid <> "
	 "'pg_attrdef'::regclass THEN ' is made anew for another type of ' || d.changed"
	 " || ': where that fails, so does the migration' ELSE " CONSEQUENCE " END, x.fix"
	 " FROM dependent d, LATERAL (SELECT format('COLUMN %I ON %s', a.attname, f.adrelid::regclass),"
	 "  format('ALTER TABLE %s DROP COLUMN %I;', f.adrelid::regclass, a.attname) FROM pg_attrdef f"
	 "  JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum"
	 "  WHERE a.attgenerated <> '' AND $4 AND f.oid = d.objid AND d.classid = 'pg_attrdef'::regclass"
	 " UNION ALL SELECT format('INDEX %s', i.indexrelid::regclass),"
	 "  format('DROP INDEX %s;', i.indexrelid::regclass) FROM pg_index i"
	 "  WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND i.indexrelid = d.objid"
	 "  AND d.classid = 'pg_class'::regclass AND d.changed IS NOT NULL"
	 " UNION ALL SELECT format('CONSTRAINT %I ON %s', k.conname, k.conrelid::regclass),"
	 "  format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname)"
	 "  FROM pg_constraint k WHERE k.contype = 'c' AND k.oid = d.objid"
	 "  AND d.classid = 'pg_constraint'::regclass AND d.changed IS NOT NULL"
	 " UNION ALL SELECT format('STATISTICS %I.%I', n.nspname, s.stxname),"
	 "  format('DROP STATISTICS %I.%I;', n.nspname, s.stxname) FROM pg_statistic_ext s"
	 "  JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxexprs IS NOT NULL"
	 "  AND s.oid = d.objid AND d.classid = 'pg_statistic_ext'::regclass"
	 "  AND d.changed IS NOT NULL) x (name, fix) ORDER BY 2",
	 "no expression of others needs a column that the migration alters",
	 "Keep its definition, drop it, and make it again after the migration."},
	{"dependent_objects",
	 DEPENDENCIES
	 "SELECT " SEVERITY ", pg_describe_object(d.classid, d.objid, 0), d.tables, NULL,"
	 " pg_describe_object(d.classid, d.objid, 0) || " CONSEQUENCE ", NULL"
	 " FROM dependent d WHERE d.classid IN ('pg_policy'::regclass, 'pg_proc'::regclass)"
	 " OR d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class c, dependency y"
	 "  WHERE c.oid = d.objid AND c.relkind IN ('r', 'm', 'p')"
	 "  AND y.classid = d.classid AND y.objid = d.objid AND y.what = 'ROW') ORDER BY 2",
	 "no policy, function or column of others depends on Airflow's tables",
	 "Keep its definition, drop it, and make it again after the migration."},
};
/* clang-format on */

/* GuardedCall: what will the migration drop or alter? */
static void
find_changes(void *arg)
{
	ChangeSearch *search = arg;
	const Preflight *preflight = search->preflight;
	const char *schema = preflight->schema;
	List *revisions = list_concat(pending_revisions(COMPONENT_CORE, schema, preflight->target),
								  pending_revisions(COMPONENT_FAB, schema, preflight->target));

	search->changes = plan_changes(revisions, get_namespace_oid(schema, false));
}

/* The changes as two arrays: tables, and what of each. */
static void
arg_changes(QueryArgs *args, List *changes)
{
	Datum *relations = palloc((list_length(changes) + 1) * sizeof(Datum));
	Datum *parts = palloc((list_length(changes) + 1) * sizeof(Datum));
	int count = 0;
	ListCell *cell;

	foreach (cell, changes)
	{
		const PlanChange *change = lfirst(cell);

		relations[count] = ObjectIdGetDatum(change->relation);
		parts[count++] = CStringGetTextDatum(change->what);
	}
	arg_datum(args, OIDARRAYOID,
			  PointerGetDatum(
				  construct_array(relations, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT)));
	arg_datum(args, TEXTARRAYOID,
			  PointerGetDatum(construct_array(parts, count, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* Without a plan ($4) nothing is known to be somebody else's: no SQL that would drop it. */
static CatalogCheck
without_fix(const CatalogCheck *check)
{
	CatalogCheck result = *check;

	result.sql = psprintf("SELECT severity, object, value, threshold, message, NULL FROM (%s)"
						  " f (severity, object, value, threshold, message, fix_sql)",
						  check->sql);
	result.hint = "Without a plan it is not known what the migration does to it, or whether it is "
				  "Airflow's own.";
	return result;
}

void
check_dependents(const Preflight *preflight)
{
	ChangeSearch search = {.preflight = preflight};
	bool planned = guarded_call(find_changes, &search) == NULL;
	QueryArgs args = {0};

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	arg_changes(&args, search.changes);
	arg_datum(&args, BOOLOID, BoolGetDatum(planned));
	for (int i = 0; i < (int) lengthof(dependent_checks); i++)
	{
		CatalogCheck check = planned ? dependent_checks[i] : without_fix(&dependent_checks[i]);

		run_catalog_checks(preflight->findings, &check, 1, &args);
	}
}
