/*
 * decide.h
 *		What becomes of a run that is about to be created.
 */
#ifndef RUN_DECIDE_H
#define RUN_DECIDE_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"
#include "pin/pin.h"

/* What conf key airflow_pin_version of a run asks for. */
typedef enum OverrideKind
{
	OVERRIDE_NONE,
	OVERRIDE_LATEST,
	OVERRIDE_NUMBER,
	OVERRIDE_INVALID
} OverrideKind;

/* A run as Airflow wants to create it. */
typedef struct RunRequest
{
	const char *id; /* of the row, as text; NULL: unknown */
	const char *dag_id;
	const char *run_id;
	const char *run_type_name;
	RunType run_type;
	const pg_uuid_t *version; /* NULL: none */
	const char *commit;		  /* NULL: none */
	OverrideKind override;
	int32 override_number;
} RunRequest;

typedef enum RunAction
{
	RUN_LATEST,	 /* no pin has a say */
	RUN_MATCHES, /* it already is what the pin wants */
	RUN_REWRITE,
	RUN_REJECT,
	RUN_OBSERVE,
	RUN_OVERRIDE, /* it is what the run asked for, with the pin's leave */
	RUN_FAILED	  /* it cannot be done right */
} RunAction;

/* The answer. "effective" is what the run becomes; it has none where has_effective is false. */
typedef struct Decision
{
	RunAction action;
	bool rewritten; /* effective differs from what was requested */
	bool has_requested;
	DagVersion requested;
	bool has_effective;
	DagVersion effective;
	const char *effective_commit;
	char *detail;		 /* a whole sentence */
	char *hint;			 /* for RUN_REJECT and RUN_FAILED */
	const char *failure; /* for RUN_FAILED: its name in the drift of pins() */
} Decision;

/* Names of what lets every run fail that a pin would change. */
#define FAILURE_MISSING "version_missing"
#define FAILURE_CHANGED "changed_in_place"
#define FAILURE_MOVED "bundle_moved"
#define FAILURE_NOT_COMPUTABLE "not_computable"

extern const char *run_action_name(RunAction action);
extern char *decision_explanation(const Decision *decision);
extern void decision_fail(Decision *decision, const char *failure, char *detail, char *hint);
extern void decide_run(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
					   Decision *decision);

#endif
