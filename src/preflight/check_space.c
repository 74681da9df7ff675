/*
 * check_space.c
 *		Check: is there space for what a migration writes anew?
 *
 * Each revision is committed for itself, after which the old copy of its table goes: what counts
 * is the largest table that a pending step rewrites or updates in full, by file system.
 */
#include "postgres.h"

#include "health/finding.h"
#include "health/health_check.h"
#include "plan/written_tables.h"
#include "preflight/checks.h"
#include "relation/relation.h"
#include "relation/relation_size.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "port.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define WAL_DIRECTORY "pg_wal"

/* A file system that has tables of Airflow. */
typedef struct Space
{
	const char *object;	   /* its finding's */
	const char *directory; /* one in it */
	int64 part;			   /* bytes that it has of the table looked at */
	int64 bytes;		   /* most that it has of one table */
	Oid table;			   /* that table */
} Space;

/* What a migration needs. */
typedef struct Needs
{
	List *spaces;	 /* Space */
	int64 wal_bytes; /* most that writing one table anew takes */
	Oid wal_table;
} Needs;

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

static Space *
add_space(Needs *needs, const char *object, const char *directory)
{
	Space *space = palloc0(sizeof(Space));

	space->object = object;
	space->directory = directory;
	needs->spaces = lappend(needs->spaces, space);
	return space;
}

/* Where a relation's file is. */
static Space *
space_of(Needs *needs, Oid relation, char *file)
{
	Oid tablespace = get_rel_tablespace(relation);
	ListCell *cell;

	get_parent_directory(file);
	foreach (cell, needs->spaces)
	{
		Space *space = lfirst(cell);

		if (strcmp(space->directory, file) == 0 || same_file_system(space->directory, file))
			return space;
	}
	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	return add_space(needs, psprintf("tablespace %s", get_tablespace_name(tablespace)), file);
}

static void
add_file(Needs *needs, Oid relation)
{
	char *file = relation_file_path(relation);

	if (file != NULL)
		space_of(needs, relation, file)->part += relation_file_bytes(relation);
}

static void
add_with_indexes(Needs *needs, Oid relation)
{
	ListCell *cell;

	add_file(needs, relation);
	foreach (cell, relation_indexes(relation))
		add_file(needs, lfirst_oid(cell));
}

/* A table with its partitions, which one statement writes anew. */
static void
add_table(Needs *needs, Oid table)
{
	int64 all = 0;
	ListCell *cell;

	foreach (cell, needs->spaces)
		((Space *) lfirst(cell))->part = 0;
	foreach (cell, table_and_partitions(table))
	{
		Oid toast = relation_toast(lfirst_oid(cell));

		add_with_indexes(needs, lfirst_oid(cell));
		if (OidIsValid(toast))
			add_with_indexes(needs, toast);
	}
	foreach (cell, needs->spaces)
	{
		Space *space = lfirst(cell);

		all += space->part;
		if (space->part > space->bytes)
		{
			space->bytes = space->part;
			space->table = table;
		}
	}
	if (all > needs->wal_bytes)
	{
		needs->wal_bytes = all;
		needs->wal_table = table;
	}
}

static void
add_finding(FindingList *findings, const char *object, const char *directory, int64 needed,
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
	finding.value = available < 0 ? NULL : psprintf("%s free", pretty_bytes(available));
	finding.threshold = pretty_bytes(needed);
	finding.hint =
		finding.severity == SEVERITY_OK
			? NULL
			: "Free space, or remove old rows first: airflow db clean, then VACUUM (FULL).";
	findings_add(findings, &finding);
}

/* A second copy beside the old one, and WAL of about the same size as all of it. */
static bool
judge_space(FindingList *findings, const Needs *needs, const Space *space)
{
	bool with_wal = same_file_system(space->directory, WAL_DIRECTORY);
	int64 needed = space->bytes + (with_wal ? needs->wal_bytes : 0);

	if (space->bytes > 0)
		add_finding(
			findings, space->object, space->directory, needed,
			psprintf("room for a second copy of %s, the largest table here that the migration "
					 "writes anew%s",
					 get_rel_name(space->table),
					 with_wal ? psprintf(", and for the WAL of %s", get_rel_name(needs->wal_table))
							  : ""));
	return space->bytes > 0 && with_wal;
}

void
check_disk_space(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	Needs needs = {0};
	bool wal_judged = false;
	ListCell *cell;

	(void) add_space(&needs, "data", DataDir);
	foreach (cell, written_tables(preflight->schema, preflight->target))
		add_table(&needs, lfirst_oid(cell));
	foreach (cell, needs.spaces)
		wal_judged |= judge_space(findings, &needs, lfirst(cell));
	if (needs.wal_bytes == 0)
		findings_add(findings, &(Finding){.check_name = "disk_space",
										  .message = psprintf("no step to Airflow %s writes a "
															  "table anew that has rows now",
															  preflight->target->name)});
	else if (!wal_judged)
		add_finding(
			findings, WAL_DIRECTORY, WAL_DIRECTORY, needs.wal_bytes,
			psprintf("room for the WAL of %s, the largest table that the migration writes anew",
					 get_rel_name(needs.wal_table)));
}
