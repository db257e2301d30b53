#include <config.h>

#include "bus_wire.h"

#include <string.h>

static bool wire_has(struct wire *wire, size_t length)
{
	if (wire->left < length)
		wire->bad = true;
	return !wire->bad;
}

uint64_t wire_number(struct wire *wire, unsigned bytes)
{
	uint64_t number = 0;

	if (!wire_has(wire, bytes))
		return 0;
	wire->left -= bytes;
	for (; bytes > 0; bytes--)
		number = number << 8 | *wire->at++;
	return number;
}

struct bus_text wire_bytes(struct wire *wire, size_t length)
{
	struct bus_text text = {.data = "", .length = 0};

	if (!wire_has(wire, length))
		return text;
	text = (struct bus_text){.data = (const char *)wire->at, .length = length};
	wire->at += length;
	wire->left -= length;
	return text;
}

struct bus_text wire_short(struct wire *wire)
{
	return wire_bytes(wire, (size_t)wire_number(wire, 1));
}

struct bus_text wire_long(struct wire *wire)
{
	return wire_bytes(wire, (size_t)wire_number(wire, 4));
}

/* How long a value of this type is. false: a type that nobody knows, behind which nothing can be read. */
static bool wire_value_length(struct wire *wire, char type, size_t *length)
{
	switch (type) {
	case 'V':
		*length = 0;
		return true;
	case 't':
	case 'b':
	case 'B':
		*length = 1;
		return true;
	case 's':
	case 'u':
		*length = 2;
		return true;
	case 'I':
	case 'i':
	case 'f':
		*length = 4;
		return true;
	case 'D': /* a scale and a number */
		*length = 5;
		return true;
	case 'l':
	case 'L':
	case 'd':
	case 'T':
		*length = 8;
		return true;
	case 'S':
	case 'x':
	case 'F':
	case 'A':
		*length = (size_t)wire_number(wire, 4);
		return true;
	default:
		return false;
	}
}

char wire_value(struct wire *wire, struct wire *value)
{
	char type = (char)wire_number(wire, 1);
	struct bus_text inside;
	size_t length = 0;

	if (wire->bad || !wire_value_length(wire, type, &length)) {
		wire->bad = true;
		return 0;
	}
	inside = wire_bytes(wire, length);
	*value = wire_at(inside.data, inside.length);
	return wire->bad ? 0 : type;
}

char wire_table_get(struct wire *table, const char *key, struct wire *value)
{
	size_t length = strlen(key);
	struct bus_text name;
	char type;

	while (table->left > 0 && !table->bad) {
		name = wire_short(table);
		type = wire_value(table, value);
		if (!table->bad && name.length == length && memcmp(name.data, key, length) == 0)
			return type;
	}
	return 0;
}
