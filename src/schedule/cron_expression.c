/*
 * cron_expression.c
 *		Reads cron expressions, as croniter understands them.
 *
 * croniter._expand() (croniter/croniter.py) is the rule, with what it lets through beside cron: ranges that
 * go round, names in ranges, "15w". Airflow gives it neither a hash_id nor an option, so "h" is an error there;
 * "r" is another moment each time and cannot be computed by anybody else.
 */
#include "schedule/cron_expression.h"

#include "mb/pg_wchar.h"

/* Longer ones are refused, to bound what is made of them. */
#define MAX_EXPRESSION 4096
#define MAX_SHOWN 200

/* A number that is larger than all that fields and steps can have. */
#define HUGE_NUMBER 1000000

#define WHITESPACE " \t\n\r\f\v"

/* croniter.RANGES, LEN_MEANS_ALL */
static const struct
{
	int16 low;
	int16 high;
} ranges[CRON_FIELDS] = {{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}, {0, 59}, {1970, 2099}};

#define RANGE_SIZE(field) (ranges[field].high - ranges[field].low + 1)
#define MAX_RANGE_SIZE 130

/* croniter.ALPHACONV */
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
										  "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* Airflow's cron_presets (airflow/utils/dates.py), of that case only. */
static const struct
{
	const char *name;
	const char *expression;
} presets[] =
	{
		{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},		  {"@weekly", "0 0 * * 0"},
		{"@monthly", "0 0 1 * *"}, {"@quarterly", "0 0 1 */3 *"}, {"@yearly", "0 0 1 1 *"},
},
  aliases[] = {
	  /* croniter's own expr_aliases, of any case */
	  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},	 {"@daily", "0 0 * * *"},
	  {"@weekly", "0 0 * * 0"},	  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	  {"@annually", "0 0 1 1 *"},
};

/* A field while it is read. */
typedef struct FieldReader
{
	CronExpression *cron;
	CronFieldIndex field;
	bool seen[MAX_RANGE_SIZE]; /* by the value's distance from the lowest */
	bool any;
	bool last;
} FieldReader;

/* "L-H/S" in any of its forms. */
typedef struct Range
{
	int low;
	int high;
	int step;
	bool is_start_with_step; /* "L/S", where the field's highest value is H */
} Range;

/* Which weekdays of a month an item is about; 0: all of them. */
typedef uint8 NthWeekday;

static bool
is_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The number that "text", digits only, stands for; a huge one for all that are larger. */
static int
number_of(const char *text)
{
	int number = 0;

	for (; *text != '\0'; text++)
		number = Min(number * 10 + (*text - '0'), HUGE_NUMBER);
	return number;
}

static bool
name_number(CronFieldIndex field, const char *text, int *number)
{
	const char *const *names = field == CRON_MONTH ? month_names : weekday_names;
	int count = field == CRON_MONTH		? (int) lengthof(month_names)
				: field == CRON_WEEKDAY ? (int) lengthof(weekday_names)
										: 0;

	for (int i = 0; i < count; i++)
		if (strcmp(text, names[i]) == 0)
		{
			*number = field == CRON_MONTH ? i + 1 : i;
			return true;
		}
	return false;
}

/* A number or a name. Sunday may be 7, too. */
static bool
value_of(CronFieldIndex field, const char *text, int *value)
{
	if (is_digits(text))
		*value = number_of(text);
	else if (!name_number(field, text, value))
		return false;
	if (field == CRON_WEEKDAY && *value == 7)
		*value = 0;
	return true;
}

static bool
add_value(FieldReader *reader, int value, NthWeekday nth)
{
	if (value < ranges[reader->field].low || value > ranges[reader->field].high)
		return false;
	reader->seen[value - ranges[reader->field].low] = true;
	if (nth != 0)
	{
		reader->cron->has_nth_weekday = true;
		reader->cron->nth_weekday[value] |= nth;
	}
	return true;
}

/* Add every "step"th value; false when one is not of the field. */
static bool
add_values(FieldReader *reader, int low, int high, int step, NthWeekday nth)
{
	for (int value = low; value <= high; value += step)
		if (!add_value(reader, value, nth))
			return false;
	return true;
}

/* A range that goes round, as "fri-mon": up to the field's end, and on from its beginning. */
static bool
add_values_round(FieldReader *reader, const Range *range, NthWeekday nth)
{
	const int first = ranges[reader->field].low;
	const int end = ranges[reader->field].high;
	int reached;
	int passed;
	int skipped = 0;

	if (range->low < first)
		return false;
	reached = range->low + (end - range->low) / range->step * range->step;
	passed = end - reached;
	if (reached - first + range->step > RANGE_SIZE(reader->field) && passed < range->step)
		skipped = range->step - passed;
	return add_values(reader, range->low, end, range->step, nth) &&
		   add_values(reader, first + skipped, range->high, range->step, nth);
}

static bool
add_range(FieldReader *reader, Range *range, NthWeekday nth)
{
	const int end = ranges[reader->field].high;

	if (range->step == 0 || Max(range->low, range->high) > end)
		return false;
	if (range->low == range->high)
	{
		if (range->is_start_with_step)
		{
			reader->cron->differences |= CRON_DIFFERS_BEFORE_7;
			return add_value(reader, range->low, nth);
		}
		/* "jan-jan" is all the year */
		range->low = ranges[reader->field].low;
		range->high = end;
	}
	if (range->low > range->high)
		return add_values_round(reader, range, nth);
	return add_values(reader, range->low, range->high, range->step, nth);
}

/* "L-H/S", "L-H", "L/S" or star and "/S". False: the item is no range, or a wrong one. */
static bool
read_range(CronFieldIndex field, char *item, Range *range)
{
	char *slash = strrchr(item, '/');
	char *dash;

	*range = (Range){.step = 1};
	if (slash != NULL)
	{
		*slash = '\0';
		if (!is_digits(slash + 1))
			return false;
		range->step = number_of(slash + 1);
	}
	dash = strchr(item, '-');
	if (dash == NULL)
	{
		if (slash == NULL)
			return false;
		range->high = ranges[field].high;
		range->is_start_with_step = strcmp(item, "*") != 0;
		range->low = ranges[field].low;
		return !range->is_start_with_step || value_of(field, item, &range->low);
	}
	*dash = '\0';
	if (!value_of(field, item, &range->low))
		return false;
	if (field == CRON_DAY && strcmp(dash + 1, "l") == 0)
		range->high = ranges[field].high;
	else if (!value_of(field, dash + 1, &range->high))
		return false;
	return true;
}

/*
 * "2#3" or "mon-fri#1", and "l5", in the field of weekdays: leaves what comes before, or the number, in
 * "item". False for a number that no month has.
 */
static bool
read_nth_weekday(char **item, NthWeekday *nth)
{
	char *number = strchr(*item, '#');

	*nth = 0;
	if (number == NULL)
	{
		if ((*item)[0] == 'l' && is_digits(*item + 1))
		{
			*nth = CRON_LAST_WEEKDAY;
			(*item)++;
		}
		return true;
	}
	*number++ = '\0';
	if (!is_digits(number) || number_of(number) < 1 || number_of(number) > 5)
		return false;
	*nth = 1 << number_of(number);
	/* of ranges only those of two names: "1-5#2" is none */
	return strchr(*item, '/') == NULL &&
		   (strchr(*item, '-') == NULL || strpbrk(*item, "0123456789") == NULL);
}

/* "15w" or "w15", alone in its field: the working day that is nearest. */
static bool
is_nearest_weekday(const char *item, int *day)
{
	size_t length = strlen(item);
	char *copy = pstrdup(item);

	if (length < 2 || (item[0] != 'w' && item[length - 1] != 'w'))
		return false;
	if (item[0] == 'w')
		copy++;
	else
		copy[length - 1] = '\0';
	if (!is_digits(copy))
		return false;
	*day = number_of(copy);
	return true;
}

static bool
read_item(FieldReader *reader, char *item, bool is_alone)
{
	NthWeekday nth = 0;
	Range range;
	int value;

	if (reader->field == CRON_WEEKDAY && !read_nth_weekday(&item, &nth))
		return false;
	if (reader->field == CRON_DAY && is_nearest_weekday(item, &value))
	{
		reader->cron->nearest_weekday = value;
		return is_alone && add_value(reader, value, 0);
	}
	if (strcmp(item, "*") == 0 && nth == 0)
	{
		reader->any = true;
		return true;
	}
	if (strcmp(item, "l") == 0 && reader->field == CRON_DAY)
	{
		reader->last = true;
		return true;
	}
	if (strpbrk(item, "-/") != NULL)
		return read_range(reader->field, item, &range) && add_range(reader, &range, nth);
	return value_of(reader->field, item, &value) && add_value(reader, value, nth);
}

/* Is the whole field "h" or "r", with or without a range and a step? */
static bool
is_hash(const char *field)
{
	const char *at = field + 1;

	if (field[0] != 'h' && field[0] != 'r')
		return false;
	if (*at == '(')
	{
		at++;
		at += strspn(at, "0123456789");
		if (*at++ != '-')
			return false;
		at += strspn(at, "0123456789");
		if (*at++ != ')')
			return false;
	}
	return *at == '\0' || (*at == '/' && is_digits(at + 1));
}

/* What was read, as croniter keeps it: a list that has everything is "*", with two exceptions. */
static void
finish_field(FieldReader *reader, char *const *fields)
{
	CronField *field = &reader->cron->fields[reader->field];
	int size;

	*field = (CronField){.any = reader->any, .last = reader->last};
	field->values = palloc(RANGE_SIZE(reader->field) * sizeof(int16));
	for (int i = 0; i < RANGE_SIZE(reader->field); i++)
		if (reader->seen[i])
			field->values[field->count++] = ranges[reader->field].low + i;
	size = field->count + field->any + field->last;
	if (size != RANGE_SIZE(reader->field) ||
		(reader->field == CRON_DAY && strchr(fields[CRON_WEEKDAY], '*') == NULL) ||
		(reader->field == CRON_WEEKDAY && strchr(fields[CRON_DAY], '*') == NULL))
		return;
	*field = (CronField){.any = true, .values = field->values};
}

static bool
read_field(CronExpression *cron, CronFieldIndex index, char *const *fields)
{
	FieldReader reader = {.cron = cron, .field = index};
	char *item = pstrdup(fields[index]);
	bool is_alone = strchr(item, ',') == NULL;

	if (strcmp(item, "?") == 0 && (index == CRON_DAY || index == CRON_WEEKDAY))
		reader.any = true;
	else
		for (char *end; item != NULL; item = end)
		{
			end = strchr(item, ',');
			if (end != NULL)
				*end++ = '\0';
			if (!read_item(&reader, item, is_alone))
				return false;
		}
	finish_field(&reader, fields);
	return true;
}

/* Weekdays of a month and plain ones cannot be in one field, unless it has all seven. */
static bool
mixes_weekdays(const CronExpression *cron)
{
	const CronField *weekdays = &cron->fields[CRON_WEEKDAY];
	bool has_plain = false;

	if (!cron->has_nth_weekday)
		return false;
	for (int i = 0; i < weekdays->count; i++)
		if (cron->nth_weekday[weekdays->values[i]] == 0)
			has_plain = true;
	return has_plain && weekdays->count + weekdays->any != CRON_WEEKDAYS;
}

/* Does one of the months have one of the days? */
static bool
has_a_day(const CronExpression *cron)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const CronField *days = &cron->fields[CRON_DAY];
	const CronField *months = &cron->fields[CRON_MONTH];

	if (days->any || days->last || months->any)
		return true;
	for (int i = 0; i < months->count; i++)
		if (days->values[0] <= lengths[months->values[i] - 1])
			return true;
	return false;
}

/*
 * What earlier releases of croniter make of the expression. Before 7.0 a day that never comes left none
 * of the weekdays beside it either; before 6.2.1 the end of a month was
 * searched in another one.
 */
static void
note_differences(CronExpression *cron)
{
	const CronField *days = &cron->fields[CRON_DAY];

	if (!cron->fields[CRON_WEEKDAY].any && !has_a_day(cron))
		cron->differences |= CRON_DIFFERS_BEFORE_7;
	if (!days->any && days->count > 0 && days->values[days->count - 1] > 28)
		cron->differences |= CRON_DIFFERS_BEFORE_6_2_1;
}

/* What one of Airflow's presets stands for, in the caller's memory; NULL: it is none. */
char *
cron_preset(const char *text)
{
	for (int i = 0; i < (int) lengthof(presets); i++)
		if (strcmp(text, presets[i].name) == 0)
			return pstrdup(presets[i].expression);
	return NULL;
}

/* The expression in small letters, of a name what it stands for. */
static char *
plain_expression(const char *text)
{
	char *lower = cron_preset(text);

	if (lower != NULL)
		return lower;
	lower = pstrdup(text);
	for (char *at = lower; *at != '\0'; at++)
		*at = pg_ascii_tolower((uint8) *at);
	for (int i = 0; i < (int) lengthof(aliases); i++)
		if (strcmp(lower, aliases[i].name) == 0)
			return pstrdup(aliases[i].expression);
	return lower;
}

/* The fields, or 0 when there are too many. */
static int
split_fields(char *text, char **fields)
{
	int count = 0;

	for (text += strspn(text, WHITESPACE); *text != '\0'; text += strspn(text, WHITESPACE))
	{
		char *end = text + strcspn(text, WHITESPACE);

		if (count == CRON_FIELDS)
			return 0;
		fields[count++] = text;
		if (*end != '\0')
			*end++ = '\0';
		text = end;
	}
	return count;
}

/* Read the expression. Returns why that is not possible, as a sentence, or NULL. */
const char *
cron_read(const char *text, CronExpression *cron)
{
	const int shown = pg_mbcliplen(text, strlen(text), MAX_SHOWN);
	char *fields[CRON_FIELDS];

	*cron = (CronExpression){0};
	if (strlen(text) > MAX_EXPRESSION)
		return psprintf("Cron expression \"%.*s...\" is longer than %d bytes.", shown, text,
						MAX_EXPRESSION);
	cron->count = split_fields(plain_expression(text), fields);
	if (cron->count < CRON_FIELDS_MIN)
		return psprintf("Cron expression \"%.*s\" has not five, six or seven fields.", shown, text);
	for (int i = 0; i < cron->count; i++)
		if (is_hash(fields[i]))
			return psprintf("Cron expression \"%.*s\" has random or hashed values.", shown, text);
	for (int i = 0; i < cron->count; i++)
		if (!read_field(cron, i, fields))
			return psprintf("Field %d of cron expression \"%.*s\" is not valid.", i + 1, shown,
							text);
	if (mixes_weekdays(cron))
		return psprintf("Cron expression \"%.*s\" mixes plain weekdays with ones like \"mon#1\".",
						shown, text);
	note_differences(cron);
	return NULL;
}

/* _covers_every_hour() of Airflow: the hours are "*" and nothing else. */
bool
cron_covers_every_hour(const CronExpression *cron)
{
	return cron->fields[CRON_HOUR].any && cron->fields[CRON_HOUR].count == 0;
}
