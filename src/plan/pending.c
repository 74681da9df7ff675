/*
 * pending.c
 *		The revisions that a migration has still to go through.
 */
#include "pending.h"

#include "airflow/relations.h"
#include "airflow/revision.h"

static const struct
{
	const char *name;
	const char *version_table;
} components[] = {
	[COMPONENT_CORE] = {"Airflow", CORE_VERSION_TABLE},
	[COMPONENT_FAB] = {"FAB", FAB_VERSION_TABLE},
};

/* Name of the table that the component keeps its revision in. */
const char *
version_table_of(Component component)
{
	return components[component].version_table;
}

static void
raise_no_single_revision(const char *table, int count)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("table \"%s\" has %d revisions where it should have one", table, count),
					errdetail("A plan starts at the one revision that the database is at."),
					errhint("See \"airflow db check-migrations\".")));
}

/*
 * The revision that the database is at, in the SPI procedure's memory; NULL when the component
 * keeps none. Raises an error when there are several or none in the table, or somebody has locked
 * it. To be called between SPI_connect() and SPI_finish().
 */
const char *
database_revision(Component component, const char *schema)
{
	const char *table = components[component].version_table;
	List *revisions;

	if (!revisions_exist(schema, table))
		return NULL;
	revisions = read_revisions(schema, table);
	if (list_length(revisions) != 1)
		raise_no_single_revision(table, list_length(revisions));
	return linitial(revisions);
}

/* Position of a revision; raises an error for one that no known release has. */
static int
known_position(Component component, const char *revision)
{
	int position = plan_position(component, revision);

	if (position < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("unknown %s revision \"%s\"", components[component].name, revision),
				 errdetail("Known are the revisions of Airflow %s to %s.",
						   plan_first_release()->name, plan_release(NULL)->name),
				 errhint("From a release before the first of these, migrate to it first; for a "
						 "newer one a newer airflow_pin is needed.")));
	return position;
}

static List *
pending_core(const char *schema, const Release *target)
{
	const char *revision = database_revision(COMPONENT_CORE, schema);
	int position;

	if (revision == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("schema \"%s\" has no Airflow tables", schema),
						errdetail("It has no table alembic_version."),
						errhint("Set airflow_pin.airflow_schema to the schema that has them.")));
	position = known_position(COMPONENT_CORE, revision);
	if (position > plan_position(COMPONENT_CORE, target->core_revision))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the database is newer than Airflow %s", target->name),
						errdetail("It is at revision \"%s\", which came with Airflow %s.", revision,
								  plan_releases_with(COMPONENT_CORE, revision)),
						errhint("Name a later release, or none for the newest.")));
	return plan_revisions(COMPONENT_CORE, position, target);
}

/*
 * There are none where FAB's tables are not in use; a newer provider than the target's is no error.
 */
static List *
pending_fab(const char *schema, const Release *target)
{
	if (target->fab_revision == NULL || !OidIsValid(airflow_relation_oid(schema, "ab_user")))
		return NIL;
	return plan_revisions(COMPONENT_FAB,
						  known_position(COMPONENT_FAB, database_revision(COMPONENT_FAB, schema)),
						  target);
}

/*
 * What "airflow db migrate" to that release runs: a list of entries of the plan's data. Raises an
 * error where the database's revision is not known, not single, locked or later than the target's.
 * To be called between SPI_connect() and SPI_finish().
 */
List *
pending_revisions(Component component, const char *schema, const Release *target)
{
	return component == COMPONENT_CORE ? pending_core(schema, target) : pending_fab(schema, target);
}
