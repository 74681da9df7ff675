/*
 * schedule_words.h
 *		A version's schedule and limits in words, for diff().
 */
#ifndef HOLD_SCHEDULE_WORDS_H
#define HOLD_SCHEDULE_WORDS_H

#include "postgres.h"

#include "utils/jsonb.h"

extern char *schedule_words(Jsonb *data);
extern char *limit_words(Jsonb *data);

#endif
