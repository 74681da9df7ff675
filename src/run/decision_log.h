/*
 * decision_log.h
 *		The table run_decision, and the server log.
 */
#ifndef RUN_DECISION_LOG_H
#define RUN_DECISION_LOG_H

#include "postgres.h"

#include "airflow/tables.h"
#include "run/decide.h"

extern void decision_record(const AirflowTables *tables, const RunRequest *request,
							const Decision *decision);
extern void decision_log(const RunRequest *request, const Decision *decision);
extern bool decision_is_being_recorded(void);
extern bool decisions_are_ours(void);

#endif
