/*
 * empty_trigger.c
 *		The least that a trigger in C can cost, which the extension's triggers are measured against.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(empty_trigger);

Datum
empty_trigger(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(((TriggerData *) fcinfo->context)->tg_trigtuple);
}

/*
 * Where a part of what callgrind counts ends and the next begins (test/bench/count-instructions).
 */
PG_FUNCTION_INFO_V1(bench_mark);

Datum
bench_mark(PG_FUNCTION_ARGS)
{
	PG_RETURN_VOID();
}
