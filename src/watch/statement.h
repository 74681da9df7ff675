/*
 * statement.h
 *		What a statement does to which table, by its text.
 */
#ifndef WATCH_STATEMENT_H
#define WATCH_STATEMENT_H

#include "postgres.h"

typedef enum StatementKind
{
	STATEMENT_OTHER,
	STATEMENT_ALTER_TABLE,
	STATEMENT_UPDATE,
	STATEMENT_DELETE,
	STATEMENT_INSERT,
	STATEMENT_CREATE_INDEX
} StatementKind;

/* Names are truncated like identifiers; empty where the statement has none. */
typedef struct Statement
{
	StatementKind kind;
	char relation[NAMEDATALEN]; /* the table that it changes, without its schema */
	char column[NAMEDATALEN]; /* the first one that it sets or alters; the index that it creates */
	char action[NAMEDATALEN]; /* of an ALTER TABLE: ADD COLUMN, FOREIGN, UNIQUE, PRIMARY … */
	char verb[NAMEDATALEN];	  /* its first word, in upper case */
	bool has_where;
} Statement;

extern const char *statement_name(const Statement *statement);
extern void statement_read(const char *text, Statement *statement);

#endif
