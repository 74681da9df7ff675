/*
 * pickled_conf.h
 *		What Airflow 3's migration makes of a pickled dag_run.conf of Airflow 2.
 */
#ifndef VALUES_PICKLED_CONF_H
#define VALUES_PICKLED_CONF_H

typedef enum PickledConf
{
	CONF_PLAIN,		/* becomes JSON */
	CONF_SURROGATE, /* half a surrogate pair in a string: the migration fails */
	CONF_HUGE,		/* more than jsonb can hold: the migration fails */
	CONF_NUL,		/* U+0000 in a string: 3.3 takes it out, earlier releases fail */
	CONF_NAN,		/* 3.3 makes it a string, earlier releases fail */
	CONF_LOST,		/* not to be had as JSON: the run's conf becomes NULL */
	CONF_SEQUENCE,	/* becomes a JSON list with 3.3, and is lost before */
	CONF_DEEP,		/* is lost with 3.3, and becomes JSON before */
	CONF_UNKNOWN	/* only Python knows */
} PickledConf;

extern int pickled_conf(const char *data, int length);

#endif
