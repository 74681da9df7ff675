/*
 * next_ids.h
 *		Do the sequences of the extension's tables go on after the rows that are there?
 */
#ifndef ATTACH_NEXT_IDS_H
#define ATTACH_NEXT_IDS_H

#include "postgres.h"

extern const char *next_id_taken(void);
extern void next_ids_advance(void);

#endif
