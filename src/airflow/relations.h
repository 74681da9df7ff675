/*
 * relations.h
 *		Which tables are Airflow's and FAB's.
 */
#ifndef AIRFLOW_RELATIONS_H
#define AIRFLOW_RELATIONS_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "util/query.h"

typedef struct AirflowRelation
{
	Oid oid;
	char *name;
	bool fab;	   /* of the FAB auth manager, which migrates its tables by itself */
	bool leftover; /* kept by an earlier migration or "airflow db clean", no longer used */
} AirflowRelation;

extern List *airflow_relations(const char *schema);
extern const char *qualified_name(const AirflowRelation *relation);
extern Datum relation_oids(List *relations);
extern void arg_relations(QueryArgs *args, List *relations);
extern Oid airflow_relation_oid(const char *schema, const char *name);
extern Oid required_relation(const char *schema, const char *name);

#endif
