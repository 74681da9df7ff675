/*
 * hold_note.h
 *		What is remembered of a DAG whose schedule is held: tables held_schedule and schedule_due.
 */
#ifndef HOLD_HOLD_NOTE_H
#define HOLD_HOLD_NOTE_H

#include "postgres.h"

/* A row of held_schedule, or what is true where there is none. */
typedef struct HoldNote
{
	bool exists;
	bool removed;  /* Airflow found that the DAG is not in its file any more */
	char *failure; /* why the schedule could not be held at the last write; NULL: it was */
} HoldNote;

extern void hold_note_read(const char *dag_id, HoldNote *note);
extern void hold_note_write(const char *dag_id, const HoldNote *before, bool removed,
							const char *failure);
extern bool take_missed(const char *dag_id);
extern void add_due(const char *dag_id, const char *event);

#endif
