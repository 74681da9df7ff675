/*
 * faults.c
 *		Failures on order in one backend: preloaded into the server (LD_PRELOAD) and armed from SQL.
 *
 *	arm_fault('memory', n)	the n-th request for memory from now on gets none
 *	arm_fault('cancel', n)	at the n-th request for memory somebody cancels the statement
 *	arm_fault('disk', n)	the n-th write that makes a file longer, and each after it, finds the disk full
 *	fault_struck()			disarms; did it happen?
 */
#include "postgres.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(arm_fault);
PG_FUNCTION_INFO_V1(fault_struck);

typedef enum Fault
{
	FAULT_NONE,
	FAULT_MEMORY,
	FAULT_CANCEL,
	FAULT_DISK
} Fault;

static Fault armed = FAULT_NONE;
static int countdown = 0;
static bool struck = false;

/* Weak, as psql and others are started with this library, too. */
#pragma weak InterruptPending
#pragma weak QueryCancelPending

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static bool
strikes(void)
{
	if (--countdown > 0)
		return false;
	struck = true;
	return true;
}

/* A request for memory: false when it gets none. */
static bool
memory_is_there(void)
{
	Fault fault = armed;

	if ((fault != FAULT_MEMORY && fault != FAULT_CANCEL) || !strikes())
		return true;
	armed = FAULT_NONE;
	if (fault == FAULT_CANCEL)
	{
		QueryCancelPending = true;
		InterruptPending = true;
		return true;
	}
	errno = ENOMEM;
	return false;
}

void *
malloc(size_t size)
{
	return memory_is_there() ? __libc_malloc(size) : NULL;
}

void *
realloc(void *pointer, size_t size)
{
	return memory_is_there() ? __libc_realloc(pointer, size) : NULL;
}

ssize_t
pwrite(int file, const void *data, size_t size, off_t offset)
{
	struct stat status;

	if (armed == FAULT_DISK && fstat(file, &status) == 0 && offset >= status.st_size && strikes())
	{
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, file, data, size, offset);
}

Datum
arm_fault(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	countdown = PG_GETARG_INT32(1);
	struck = false;
	armed = strcmp(name, "memory") == 0	  ? FAULT_MEMORY
			: strcmp(name, "cancel") == 0 ? FAULT_CANCEL
										  : FAULT_DISK;
	PG_RETURN_VOID();
}

Datum
fault_struck(PG_FUNCTION_ARGS)
{
	armed = FAULT_NONE;
	PG_RETURN_BOOL(struck);
}
