/*
 * xcom_value.h
 *		What Airflow 3's migration makes of an XCom value of Airflow 2.
 */
#ifndef VALUES_XCOM_VALUE_H
#define VALUES_XCOM_VALUE_H

typedef enum XComValue
{
	XCOM_JSON,	   /* taken as it is */
	XCOM_NOT_JSON, /* the migration fails */
	XCOM_NUL,	   /* 3.3 takes \u0000 out, earlier releases fail */
	XCOM_NAN,	   /* 3.3 makes it null, 3.1 and 3.2 a string, 3.0 fails */
	XCOM_PICKLED   /* moved to _xcom_archive */
} XComValue;

extern int xcom_value(const char *data, int length);

#endif
