/*
 * relation.h
 *		What a table is, from the catalogs: nothing is opened, and no lock on it is waited for.
 */
#ifndef RELATION_RELATION_H
#define RELATION_RELATION_H

#include "postgres.h"

#include "nodes/pg_list.h"

extern Oid pin_relation(const char *name);
extern bool pin_relation_exists(const char *name);
extern const char *table_obstacle(Oid relation);
extern bool relation_is_table(Oid relation);
extern void require_table(Oid relation, const char *schema, const char *name);
extern bool relation_is_subscribed(Oid relation);
extern List *table_and_partitions(Oid relation);
extern Oid relation_toast(Oid relation);
extern List *relation_indexes(Oid relation);

#endif
