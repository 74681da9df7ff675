/*
 * uuid_v7.c
 *		UUIDs as Airflow makes them.
 */
#include "uuid_v7.h"

#include <sys/time.h>

/*
 * A UUID of version 7: milliseconds since 1970, then random. Raises an error where the system has
 * no random numbers.
 */
void
uuid_v7(pg_uuid_t *uuid)
{
	struct timeval now;
	uint64 milliseconds;

	if (!pg_strong_random(uuid->data, UUID_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate random values for a UUID")));
	gettimeofday(&now, NULL);
	milliseconds = (uint64) now.tv_sec * 1000 + now.tv_usec / 1000;
	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (milliseconds >> (8 * (5 - i)));
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x70;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}
