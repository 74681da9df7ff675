/*
 * bad_rows.h
 *		bad_rows() as a check.
 */
#ifndef ROWS_BAD_ROWS_H
#define ROWS_BAD_ROWS_H

#include "postgres.h"

#include "health/health_check.h"

/* Rows and values that make "airflow db migrate" fail; at most about 0.8 s. */
extern void check_bad_rows(const Preflight *preflight);

#endif
