/*
 * dag_text.h
 *		A serialized DAG's JSON text, made ready for jsonb_in().
 */
#ifndef DAG_TEXT_H
#define DAG_TEXT_H

#include "postgres.h"

#include "compat.h"

/*
 * Tens of thousands of tasks. They bound what is read and inflated, and what is parsed: a value takes
 * some hundred bytes then, however short it is.
 */
#define MAX_JSON_BYTES (64 * 1024 * 1024)
#define MAX_JSON_VALUES (1024 * 1024)

pg_noreturn extern void raise_dag_too_large(void);
extern char *dag_text_prepare(char *text, bool outline);

#endif
