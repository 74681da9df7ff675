/*
 * python_dict.h
 *		Which keys of a dict are one and the same, so that the last value is left.
 */
#ifndef VALUES_PYTHON_DICT_H
#define VALUES_PYTHON_DICT_H

#include "postgres.h"

#include "values/python_value.h"

extern PythonItems *python_dict_items(const PythonItems *dict);

#endif
