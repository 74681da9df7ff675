/*
 * backend_activity.c
 *		Whether a session does anything: its processes' counters, and what the previous call saw.
 *
 * The counters are the operating system's, which counts for every process, also where the server
 * has nothing to tell. Where there is no /proc they are not visible, and nothing is concluded from
 * them.
 */
#include "backend_activity.h"

#include <unistd.h>

#include "storage/fd.h"
#include "utils/timestamp.h"

#define WATCHED_SESSIONS 16

static WatchedSession watched_sessions[WATCHED_SESSIONS];

/*
 * What is known of a session: that which was seen longest ago makes room for a new one.
 */
WatchedSession *
watched_session(int pid, TimestampTz backend_start)
{
	WatchedSession *oldest = &watched_sessions[0];

	for (int i = 0; i < WATCHED_SESSIONS; i++)
	{
		WatchedSession *watched = &watched_sessions[i];

		if (watched->pid == pid && watched->backend_start == backend_start)
			return watched;
		if (watched->seen_at < oldest->seen_at)
			oldest = watched;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->pid = pid;
	oldest->backend_start = backend_start;
	return oldest;
}

double
seconds_between(TimestampTz from, TimestampTz to)
{
	return (double) (to - from) / USECS_PER_SEC;
}

#ifdef __linux__

/* The start of a file of /proc; false when there is none, or it may not be read. */
static bool
read_proc(int pid, const char *name, char *text, size_t size)
{
	char path[MAXPGPATH];
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	FreeFile(file);
	return length > 0;
}

/* proc(5): the name of the program, in parentheses, may contain anything. */
static bool
add_process(int pid, BackendCounters *counters)
{
	bool is_first = counters->state == '\0';
	char text[1024];
	char *rest;
	char state;
	unsigned long user;
	unsigned long system;
	uint64 read_bytes;
	uint64 written_bytes;

	if (!read_proc(pid, "stat", text, sizeof(text)) || (rest = strrchr(text, ')')) == NULL ||
		sscanf(rest, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &state, &user,
			   &system) != 3)
		return false;
	if (!read_proc(pid, "io", text, sizeof(text)) ||
		sscanf(text, "rchar: " UINT64_FORMAT " wchar: " UINT64_FORMAT, &read_bytes,
			   &written_bytes) != 2)
		return false;
	counters->all.cpu_ticks += user + system;
	counters->all.io_bytes += read_bytes + written_bytes;
	if (is_first)
	{
		counters->state = state;
		counters->own = counters->all;
	}
	return true;
}

static double
ticks_per_second(void)
{
	return sysconf(_SC_CLK_TCK);
}

#else

static bool
add_process(int pid, BackendCounters *counters)
{
	return false;
}

static double
ticks_per_second(void)
{
	return 1;
}

#endif

/* What was used in between. A parallel worker that has ended took its counters along. */
static void
add_usage(WatchedSession *watched, const BackendCounters *before, const BackendCounters *now)
{
	bool all =
		now->all.cpu_ticks >= before->all.cpu_ticks && now->all.io_bytes >= before->all.io_bytes;
	const ProcessCounters *from = all ? &before->all : &before->own;
	const ProcessCounters *to = all ? &now->all : &now->own;

	watched->cpu_seconds = (double) (to->cpu_ticks - from->cpu_ticks) / ticks_per_second();
	watched->io_bytes = (int64) (to->io_bytes - from->io_bytes);
	watched->cpu_total += watched->cpu_seconds;
}

/* Look at the session's processes, its own and those of its parallel workers. */
void
watch_counters(WatchedSession *watched, List *pids, TimestampTz now)
{
	const BackendCounters before = watched->counters;
	BackendCounters counters = {.visible = true};
	ListCell *cell;

	foreach (cell, pids)
		if (!add_process(lfirst_int(cell), &counters) && lfirst_int(cell) == watched->pid)
			counters.visible = false;
	watched->counters = counters;
	watched->cpu_seconds = -1;
	watched->io_bytes = -1;
	if (counters.visible && before.visible)
		add_usage(watched, &before, &counters);
	if (watched->cpu_seconds != 0 || watched->io_bytes != 0)
		watched->busy_at = now;
}
