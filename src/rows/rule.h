/*
 * rule.h
 *		A rule about the rows of a table, and where it is looked for.
 */
#ifndef ROWS_RULE_H
#define ROWS_RULE_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "health/finding.h"
#include "plan/plan_steps.h"

/* How much may be read; 0: no limit. */
typedef struct ProbeBudget
{
	int64 max_rows; /* of one table; of larger ones a sample of blocks is read */
	int64 max_ms;	/* for all rules together */
} ProbeBudget;

/* What the rules of one run have in common. */
typedef struct Probe
{
	FindingList *list;
	char *schema;
	char *quoted_schema;
	Oid namespace;
	int64 max_rows;
	TimestampTz deadline;  /* DT_NOEND: none */
	int rules_left;		   /* the rules that the remaining time is for */
	const char *function;  /* for hints: how to call it without a limit */
	const Release *target; /* of the migration; NULL: it makes no difference */
} Probe;

/* What a rule found in the part of its table that was read. */
typedef struct ProbeResult
{
	int64 bad;
	double fraction; /* of the table's blocks; 1 when all was read */
} ProbeResult;

/*
 * A rule about a table. In texts "{s}" stands for the quoted schema, and in "fix" also "{bad}" for
 * the condition.
 */
typedef struct Rule
{
	const char *check_name;
	Severity severity;
	const char *fails_to; /* the last release to which a migration fails, or NULL */
	const char *table;
	const char *columns; /* for the finding, and they must be there: "user_id, role_id" */
	const char *only_if; /* "table.column" is there, "!table.column" is not, "table.column:type" */
	const char *bad;	 /* condition on the row r */
	const char *keys;	 /* for duplicates: what must be unique, as pg_get_indexdef() has it */
	const char *parent;	 /* table that the condition looks rows up in, by "parent_key", or NULL */
	const char *parent_key;
	const char *what; /* about the rows: "referring to no row in ab_user" */
	const char *consequence;
	const char *hint;
	const char *fix;
} Rule;

struct ProbeTable;
typedef void (*RuleFunction)(struct ProbeTable *table);

/* A rule at work, in its table, which is locked, as the table's owner. */
typedef struct ProbeTable
{
	Probe *probe;
	const Rule *rule;
	RuleFunction function;
	void *arg; /* for the function */
	Oid relation;
	const char *sql_name; /* quoted */
	int64 blocks;
	double rows;	  /* estimated */
	bool small;		  /* it and its parent may be joined at once, however little time there is */
	bool few_parents; /* the parent may be read again for every range */
	ProbeResult result;
} ProbeTable;

extern bool probe_is_limited(const Probe *probe);
extern bool probe_has(const Probe *probe, const char *conditions);
extern bool rule_applies(const Probe *probe, const Rule *rule);
extern char *rule_text(const Probe *probe, const char *text, const char *bad);

#endif
