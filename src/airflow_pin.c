/*
 * airflow_pin.c
 *		What is done when the library is loaded.
 */
#include "airflow_pin.h"

#include "fmgr.h"

#include "pin/cache.h"
#include "settings.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	settings_define();
	pin_cache_init();
}
