/*
 * probe.h
 *		Look for bad rows in Airflow's tables without waiting for a lock, within a budget.
 */
#ifndef ROWS_PROBE_H
#define ROWS_PROBE_H

#include "postgres.h"

#include "fmgr.h"
#include "health/finding.h"
#include "rows/rule.h"

extern ProbeBudget probe_budget(FunctionCallInfo fcinfo);
extern bool probe_begin(Probe *probe, FindingList *list, const char *check_name,
						const ProbeBudget *budget);
extern void probe_expect(Probe *probe, const Rule *rules, int count);
extern bool probe_table(Probe *probe, const Rule *rule, RuleFunction function, void *arg,
						ProbeResult *result);
extern void probe_count_rows(ProbeTable *table);
extern void probe_count_duplicates(ProbeTable *table);
extern void probe_report(Probe *probe, const Rule *rule, const ProbeResult *result);

#endif
