/*
 * statement.c
 *		What a statement does to which table, by its text.
 *
 * pg_stat_activity cuts texts off, so that no parser would take them. What is looked for comes
 * early in a statement: words at its top level, outside of quotes, comments and parentheses.
 */
#include "statement.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

typedef struct Scanner
{
	const char *at;
	int depth;				/* of parentheses */
	char word[NAMEDATALEN]; /* identifier as the catalogs have it, or one byte */
	bool quoted;
} Scanner;

static void
skip_comments(Scanner *scanner)
{
	for (;;)
	{
		const char *end = NULL;

		while (isspace((unsigned char) *scanner->at))
			scanner->at++;
		if (strncmp(scanner->at, "--", 2) == 0)
			end = strchr(scanner->at, '\n');
		else if (strncmp(scanner->at, "/*", 2) == 0)
			end = strstr(scanner->at, "*/");
		else
			return;
		scanner->at = end ? end + (*end == '*' ? 2 : 1) : scanner->at + strlen(scanner->at);
	}
}

/*
 * End the word of that many bytes. One that is too long ends with a whole character, as names do.
 */
static void
end_word(Scanner *scanner, int length)
{
	scanner->word[pg_mbcliplen(scanner->word, length, NAMEDATALEN - 1)] = '\0';
}

/* Up to the closing quote; a doubled one stands for itself. */
static void
read_quoted(Scanner *scanner, char quote)
{
	int length = 0;

	for (scanner->at++; *scanner->at != '\0'; scanner->at++)
	{
		if (*scanner->at == quote && *++scanner->at != quote)
			break;
		if (length < NAMEDATALEN - 1)
			scanner->word[length++] = *scanner->at;
	}
	end_word(scanner, length);
}

/* Over the rest of a string in dollar quotes, whose first tag was just read. */
static void
skip_dollar_quoted(Scanner *scanner, const char *tag, int length)
{
	const char *end = strstr(scanner->at, pnstrdup(tag, length));

	scanner->at = end ? end + length : scanner->at + strlen(scanner->at);
	scanner->quoted = true;
}

static bool
is_name_character(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

/* The next word or character, of whatever depth; false at the end. */
static bool
next_token(Scanner *scanner)
{
	int length = 0;
	const char *start;

	skip_comments(scanner);
	start = scanner->at;
	scanner->quoted = *scanner->at == '"' || *scanner->at == '\'';
	if (*scanner->at == '\0')
		return false;
	if (scanner->quoted)
	{
		read_quoted(scanner, *scanner->at);
		return true;
	}
	if (!is_name_character(*scanner->at))
		scanner->word[length++] = *scanner->at++;
	else
		for (; is_name_character(*scanner->at); scanner->at++)
			if (length < NAMEDATALEN - 1)
				scanner->word[length++] = pg_ascii_tolower((unsigned char) *scanner->at);
	end_word(scanner, length);
	if (length > 1 && scanner->word[0] == '$' && scanner->word[length - 1] == '$')
		skip_dollar_quoted(scanner, start, length);
	scanner->depth += scanner->word[0] == '(' ? 1 : scanner->word[0] == ')' ? -1 : 0;
	return true;
}

static bool
at_word(const Scanner *scanner, const char *word)
{
	return !scanner->quoted && scanner->depth == 0 && strcmp(scanner->word, word) == 0;
}

/* A name that may have a schema, after words like ONLY and IF EXISTS. */
static void
read_name(Scanner *scanner, char *name)
{
	static const char *const before[] = {"only", "table", "into", "from", "if", "exists", "not"};

	while (next_token(scanner))
	{
		bool is_noise = false;

		for (int i = 0; i < (int) lengthof(before); i++)
			is_noise |= at_word(scanner, before[i]);
		if (!is_noise)
			break;
	}
	strlcpy(name, scanner->word, NAMEDATALEN);
	while (*scanner->at == '.')
	{
		scanner->at++;
		if (next_token(scanner))
			strlcpy(name, scanner->word, NAMEDATALEN);
	}
}

static void
read_to(Scanner *scanner, const char *word)
{
	while (next_token(scanner) && !at_word(scanner, word))
		;
}

static void
read_update(Scanner *scanner, Statement *statement)
{
	statement->kind = STATEMENT_UPDATE;
	read_name(scanner, statement->relation);
	read_to(scanner, "set");
	read_name(scanner, statement->column);
	while (next_token(scanner))
		statement->has_where |= at_word(scanner, "where");
}

static void
to_upper(char *to, const char *from)
{
	for (int i = 0; i < NAMEDATALEN; i++)
		to[i] = pg_ascii_toupper((unsigned char) from[i]);
}

/* ALTER [COLUMN] x …, ADD COLUMN x, ADD CONSTRAINT name FOREIGN KEY (x) … */
static void
read_alter(Scanner *scanner, Statement *statement)
{
	char before[NAMEDATALEN] = "";

	statement->kind = STATEMENT_ALTER_TABLE;
	read_name(scanner, statement->relation);
	while (next_token(scanner) && (scanner->quoted || scanner->word[0] != '('))
	{
		if (at_word(scanner, "constraint"))
			(void) next_token(scanner);
		else if (at_word(scanner, "column"))
		{
			snprintf(statement->action, NAMEDATALEN, "%s COLUMN", before);
			read_name(scanner, statement->column);
			return;
		}
		else if (at_word(scanner, "foreign") || at_word(scanner, "unique") ||
				 at_word(scanner, "primary"))
			to_upper(statement->action, scanner->word);
		to_upper(before, scanner->word);
	}
	if (next_token(scanner))
		strlcpy(statement->column, scanner->word, NAMEDATALEN);
}

/* CREATE INDEX [CONCURRENTLY] [IF NOT EXISTS] [name] ON … */
static void
read_create_index(Scanner *scanner, Statement *statement)
{
	statement->kind = STATEMENT_CREATE_INDEX;
	while (next_token(scanner) && !at_word(scanner, "on"))
		strlcpy(statement->column, scanner->word, NAMEDATALEN);
	read_name(scanner, statement->relation);
}

/*
 * The first of the words that say what is done, which WITH queries may precede, and statements like
 * BEGIN in the same text.
 */
void
statement_read(const char *text, Statement *statement)
{
	Scanner scanner = {.at = text ? text : ""};
	bool ended = true;

	memset(statement, 0, sizeof(*statement));
	while (statement->kind == STATEMENT_OTHER && next_token(&scanner))
	{
		if (ended)
			to_upper(statement->verb, scanner.word);
		ended = at_word(&scanner, ";");
		if (at_word(&scanner, "alter"))
		{
			if (!next_token(&scanner) || !at_word(&scanner, "table"))
				return;
			read_alter(&scanner, statement);
		}
		else if (at_word(&scanner, "update"))
			read_update(&scanner, statement);
		else if (at_word(&scanner, "delete") || at_word(&scanner, "insert"))
		{
			statement->kind = at_word(&scanner, "delete") ? STATEMENT_DELETE : STATEMENT_INSERT;
			read_name(&scanner, statement->relation);
		}
		else if (at_word(&scanner, "index"))
			read_create_index(&scanner, statement);
		else if (at_word(&scanner, "select") || at_word(&scanner, "drop"))
			return;
	}
}

/* What it does, without the table. */
const char *
statement_name(const Statement *statement)
{
	static const char *const names[] = {
		[STATEMENT_ALTER_TABLE] = "ALTER TABLE",	  [STATEMENT_UPDATE] = "UPDATE",
		[STATEMENT_DELETE] = "DELETE FROM",			  [STATEMENT_INSERT] = "INSERT INTO",
		[STATEMENT_CREATE_INDEX] = "CREATE INDEX ON",
	};

	return statement->kind == STATEMENT_OTHER ? statement->verb : names[statement->kind];
}
