/*
 * guarded.c
 *		Call a function so that its errors do not reach the caller's transaction.
 */
#include "guarded.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Errors are kept in tables and logs; what they quote, such as a name in JSON, can be megabytes. */
#define MAX_ERROR_TEXT 2000

/*
 * What ends the statement on somebody's order must end it (a cancelled query, a closing server),
 * and a transaction that cannot be serialized is lost whatever we do.
 */
static bool
must_propagate(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
		   sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

static void
clip(char *text)
{
	int length = text ? strlen(text) : 0;

	if (length >= MAX_ERROR_TEXT + (int) sizeof("..."))
		memcpy(text + pg_mbcliplen(text, length, MAX_ERROR_TEXT), "...", sizeof("..."));
}

static ErrorData *
call_in_subtransaction(GuardedCall function, void *arg, bool keep)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);

	PG_TRY();
	{
		function(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		clip(error->message);
		clip(error->detail);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;

	if (error != NULL && must_propagate(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

/*
 * Call function(arg) in a subtransaction. Returns NULL when it returned, else the error it raised,
 * allocated in the caller's memory context, with the function's work and locks undone.
 * Cancellation, shutdown and serialization failure are raised again.
 */
ErrorData *
guarded_call(GuardedCall function, void *arg)
{
	return call_in_subtransaction(function, arg, true);
}

/*
 * The same for a function that only looks: its work and its locks are undone also when it returned,
 * so that nobody waits for what was looked at.
 */
ErrorData *
guarded_look(GuardedCall function, void *arg)
{
	return call_in_subtransaction(function, arg, false);
}

/* An error in one line, for a result rather than for an error: "message: Detail." */
char *
error_text(const ErrorData *error)
{
	return error->detail ? psprintf("%s: %s", error->message, error->detail)
						 : pstrdup(error->message);
}

/* An error within other sentences: "message. Detail." */
char *
error_sentences(const ErrorData *error)
{
	return error->detail ? psprintf("%s. %s", error->message, error->detail)
						 : psprintf("%s.", error->message);
}
