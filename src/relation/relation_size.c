/*
 * relation_size.c
 *		How large tables are, and how long a rewrite of them takes, without locks.
 *
 * pg_total_relation_size() opens the table and its indexes, and so waits while a migration holds
 * ACCESS EXCLUSIVE on one of them. Here nothing is opened: the catalogs say which files there are,
 * and the file system how large they are. While a rewrite goes on these are the old files.
 */
#include "relation_size.h"

#include <sys/stat.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "relation/relation.h"
#include "settings.h"

#define RELOCATION_RETRIES 3

/* Call an SQL function of one relation that may return NULL. */
Datum
call_for_relation(PGFunction function, Oid relation, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum result;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(relation);
	fcinfo->args[0].isnull = false;
	result = function(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}

/*
 * Path of the relation's first file as of now, or NULL. It knows mapped relations, tablespaces
 * and temporary tables.
 */
char *
relation_file_path(Oid relation)
{
	bool isnull;
	Datum path;

	AcceptInvalidationMessages();
	path = call_for_relation(pg_relation_filepath, relation, &isnull);
	return isnull ? NULL : text_to_cstring(DatumGetTextPP(path));
}

/* Bytes of all segments of one fork; 0 where there is no file. */
int64
fork_bytes(const char *first_segment)
{
	int64 bytes = 0;

	for (int segment = 0;; segment++)
	{
		char path[MAXPGPATH];
		struct stat status;

		CHECK_FOR_INTERRUPTS();
		if (segment == 0)
			snprintf(path, sizeof(path), "%s", first_segment);
		else
			snprintf(path, sizeof(path), "%s.%d", first_segment, segment);
		if (stat(path, &status) == 0)
			bytes += status.st_size;
		else if (errno == ENOENT)
			return bytes;
		else
			ereport(ERROR,
					(errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", path)));
	}
}

/*
 * Bytes of a table's or an index's own files. When they were exchanged while we looked, by a
 * rewrite that was committed, the new ones count.
 */
int64
relation_file_bytes(Oid relation)
{
	char *path = relation_file_path(relation);
	int64 bytes = 0;

	for (int retry = 0; path != NULL && retry < RELOCATION_RETRIES; retry++)
	{
		char *before = path;

		bytes = 0;
		for (int fork = MAIN_FORKNUM; fork <= MAX_FORKNUM; fork++)
			bytes +=
				fork_bytes(fork == MAIN_FORKNUM ? path : psprintf("%s_%s", path, forkNames[fork]));
		path = relation_file_path(relation);
		if (path != NULL && strcmp(path, before) == 0)
			break;
	}
	return path != NULL ? bytes : 0;
}

static int64
index_bytes(Oid relation)
{
	int64 bytes = 0;
	ListCell *cell;

	foreach (cell, relation_indexes(relation))
		bytes += relation_file_bytes(lfirst_oid(cell));
	return bytes;
}

/*
 * Rows as the planner estimates them: those that VACUUM or ANALYZE last counted, for as many pages
 * as there are now; before the first of them, what the statistics counted. And after many were
 * deleted ("airflow db clean"), which leaves the pages as they are.
 */
static int64
estimate_rows(Oid relation, Form_pg_class form)
{
	char *path = relation_file_path(relation);
	int64 pages = path != NULL ? fork_bytes(path) / BLCKSZ : 0;
	int64 counted =
		DatumGetInt64(DirectFunctionCall1(pg_stat_get_live_tuples, ObjectIdGetDatum(relation)));
	int64 changed = DatumGetInt64(
		DirectFunctionCall1(pg_stat_get_mod_since_analyze, ObjectIdGetDatum(relation)));
	int64 estimate;

	if (pages == 0)
		return 0;
	if (form->reltuples < 0 || form->relpages == 0)
		return counted > 0 ? counted : -1;
	estimate = (int64) (form->reltuples / form->relpages * pages + 0.5);
	return counted > 0 && counted < estimate && changed > estimate / 5 ? counted : estimate;
}

RelationSize
relation_size(Oid relation)
{
	RelationSize size = {0};
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid toast = relation_toast(relation);

	if (!HeapTupleIsValid(tuple))
		return size;
	size.heap = relation_file_bytes(relation);
	size.indexes = index_bytes(relation);
	if (OidIsValid(toast))
		size.toast = relation_file_bytes(toast) + index_bytes(toast);
	size.estimated_rows = estimate_rows(relation, (Form_pg_class) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	return size;
}

/* Of a table with its partitions: where one's rows are not known, those of all are not. */
RelationSize
table_tree_size(Oid table)
{
	RelationSize all = {0};
	ListCell *cell;

	foreach (cell, table_and_partitions(table))
	{
		RelationSize size = relation_size(lfirst_oid(cell));

		all.heap += size.heap;
		all.indexes += size.indexes;
		all.toast += size.toast;
		if (all.estimated_rows >= 0)
			all.estimated_rows =
				size.estimated_rows < 0 ? -1 : all.estimated_rows + size.estimated_rows;
	}
	return all;
}

int64
relation_total_bytes(const RelationSize *size)
{
	return size->heap + size->indexes + size->toast;
}

/* "16 MB" */
char *
pretty_bytes(int64 bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)));
}

/*
 * Least time to write that many bytes anew, indexes included; see table_sizes() for the most.
 */
double
rewrite_seconds(int64 bytes)
{
	return bytes / (airflow_pin_rewrite_mb_per_second * 1024 * 1024);
}
