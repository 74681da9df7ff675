/*
 * dump_rights.h
 *		What the owner of Airflow's tables needs in order to dump the database.
 */
#ifndef ATTACH_DUMP_RIGHTS_H
#define ATTACH_DUMP_RIGHTS_H

#include "postgres.h"

extern void dump_rights_grant(Oid dag_run);

#endif
