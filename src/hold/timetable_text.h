/*
 * timetable_text.h
 *		What Airflow calls a timetable: its summary and its description.
 */
#ifndef HOLD_TIMETABLE_TEXT_H
#define HOLD_TIMETABLE_TEXT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "schedule/schedule.h"

extern char *timetable_summary(JsonbContainer *dag, const Schedule *schedule);
extern const char *timetable_description(const Schedule *schedule);

#endif
