/*
 * two_hours_later.c
 *		A clock that can be put forward, for a server that is started with this in LD_PRELOAD: it is
 *		two hours later there while the file that TWO_HOURS_LATER names exists.
 *
 * PostgreSQL takes every time of day from gettimeofday().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int (*real)(struct timeval *restrict, void *restrict) =
		(int (*)(struct timeval *restrict, void *restrict)) dlsym(RTLD_NEXT, "gettimeofday");
	const char *file = getenv("TWO_HOURS_LATER");
	int result = real(now, zone);

	if (file != NULL && access(file, F_OK) == 0)
		now->tv_sec += 2 * 60 * 60;
	return result;
}
