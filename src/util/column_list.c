/*
 * column_list.c
 *		The columns of a table, for generated SQL.
 */
#include "column_list.h"

#include "access/table.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/*
 * All columns that can be written but those left out, quoted, each after a ", " and "prefix". Takes
 * AccessShareLock on the table.
 */
char *
column_list(Oid relation, const char *prefix, ColumnFilter left_out)
{
	Relation table = table_open(relation, AccessShareLock);
	TupleDesc desc = RelationGetDescr(table);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && !attribute->attgenerated &&
			attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS &&
			!left_out(NameStr(attribute->attname)))
			appendStringInfo(&list, ", %s%s", prefix,
							 quote_identifier(NameStr(attribute->attname)));
	}
	table_close(table, AccessShareLock);
	return list.data;
}
