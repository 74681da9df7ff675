/*
 * finding.h
 *		What a check found: the row that all health checks emit.
 */
#ifndef HEALTH_FINDING_H
#define HEALTH_FINDING_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/pg_list.h"

/* Worst last. */
typedef enum Severity
{
	SEVERITY_OK,
	SEVERITY_INFO,
	SEVERITY_UNKNOWN, /* it could not be looked at: no privilege, or somebody holds a lock */
	SEVERITY_WARNING,
	SEVERITY_CRITICAL
} Severity;

/* Texts are NULL for SQL NULL. */
typedef struct Finding
{
	const char *check_name;
	Severity severity;
	const char *object;
	const char *value;
	const char *threshold;
	const char *message;
	const char *hint;
	const char *fix_sql; /* SQL that would mend it; never run by us */
} Finding;

/* Findings in the order in which they were made. */
typedef struct FindingList
{
	MemoryContext context;
	List *findings;
} FindingList;

extern Severity severity_of_name(const char *name);
extern FindingList *findings_begin(void);
extern void findings_add(FindingList *list, const Finding *finding);
extern Severity findings_worst(const FindingList *list);
extern void findings_emit(FunctionCallInfo fcinfo, FindingList *list, bool worst_first);

#endif
