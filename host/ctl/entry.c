#include <config.h>

#include "entry.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *entry_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

double entry_number(const json_t *object, const char *key, double otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

const json_t *entry_in(const json_t *object, const char *first, const char *second)
{
	return json_object_get(json_object_get(object, first), second);
}

/* Whether a piece of this length still fitted; else the text ends in "..". */
static bool fitted(int length, char *out, size_t size, size_t *used)
{
	if (length < 0 || (size_t)length >= size - *used) {
		memcpy(out + size - sizeof "..", "..", sizeof "..");
		return false;
	}
	*used += (size_t)length;
	return true;
}

const char *entry_join(const json_t *array, char *out, size_t size)
{
	size_t used = 0, i;
	bool fits = true;

	snprintf(out, size, "-");
	for (i = 0; fits && i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		fits = fitted(snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "", text != NULL ? text : "?"), out, size, &used);
	}
	return out;
}

const char *entry_ports(const json_t *object, char *out, size_t size)
{
	size_t used = 0;
	const char *name;
	json_t *number;

	snprintf(out, size, "-");
	json_object_foreach((json_t *)(uintptr_t)object, name, number) {
		if (!fitted(snprintf(out + used, size - used, "%s%s=%" JSON_INTEGER_FORMAT, used > 0 ? "," : "", name,
		                     json_integer_value(number)), out, size, &used))
			break;
	}
	return out;
}

const char *entry_age(double seconds, char *out, size_t size)
{
	static const struct {
		const char *unit;
		long long length;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	size_t i = sizeof units / sizeof *units - 1;
	long long whole, rest;

	if (!(seconds >= 0) || seconds > 1e15) {
		snprintf(out, size, "-");
		return out;
	}
	whole = (long long)floor(seconds);
	while (i > 0 && whole < units[i].length)
		i--;
	rest = i > 0 ? whole % units[i].length / units[i - 1].length : 0;
	if (rest > 0)
		snprintf(out, size, "%lld %s %lld %s", whole / units[i].length, units[i].unit, rest, units[i - 1].unit);
	else
		snprintf(out, size, "%lld %s", whole / units[i].length, units[i].unit);
	return out;
}

enum table_tone entry_tone(const char *state)
{
	if (strcmp(state, "confirmed") == 0)
		return TABLE_GOOD;
	return strcmp(state, "forbidden") == 0 || strcmp(state, "lost") == 0 ? TABLE_BAD : TABLE_DOUBTFUL;
}
