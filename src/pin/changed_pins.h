/*
 * changed_pins.h
 *		Which pins have a version that is not what was pinned any more?
 */
#ifndef PIN_CHANGED_PINS_H
#define PIN_CHANGED_PINS_H

#include "postgres.h"

/* Those found: their number, and the first of their DAGs for a message. */
typedef struct ChangedPins
{
	const char *schema;
	int count;
	char *dag_ids;
} ChangedPins;

extern void changed_pins_find(void *arg);

#endif
