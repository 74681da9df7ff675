/*
 * label.h
 *		The label under which what belongs to one migration is kept.
 */
#ifndef UPGRADE_LABEL_H
#define UPGRADE_LABEL_H

#include "postgres.h"

#include "fmgr.h"

extern char *required_label(FunctionCallInfo fcinfo);
extern char *labels_in_use(void);

#endif
