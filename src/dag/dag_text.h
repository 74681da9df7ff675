/*
 * dag_text.h
 *		A serialized DAG's JSON text, made ready for jsonb_in().
 */
#ifndef DAG_DAG_TEXT_H
#define DAG_DAG_TEXT_H

#include "postgres.h"

#include "compat.h"

/*
 * Tens of thousands of tasks. They bound what is read and inflated, and what is parsed: a value takes
 * some hundred bytes then, however short it is.
 */
#define MAX_JSON_BYTES (64 * 1024 * 1024)
#define MAX_JSON_VALUES (1024 * 1024)

/* What to do about a DAG that is beyond one of the limits on what is computed here. */
#define HINT_TOO_LARGE                                                                             \
	"Split the DAG, or pin it with on_mismatch => 'reject', for which nothing of it is computed."

pg_noreturn extern void raise_dag_too_large(void);
extern char *dag_text_prepare(char *text, bool outline);

#endif
