#include <config.h>

#include "announcement.h"

#include <string.h>

/* The ports of an announcement: names of services (RFC 6335) and numbers, kept sorted, so that equal sets are equal lists. */

/* One character of a name that comes after the character before ('\0': none). NULL, or the rule that it breaks. */
static const char *refuse_character(char c, char before)
{
	if (c == '-')
		return before == '-' ? "it holds two hyphens in a row" : NULL;
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return NULL;
	return "it holds something other than letters, digits and hyphens";
}

static const char *fold_name(const char *text, size_t length, char *out)
{
	bool letter = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
		const char *fault = refuse_character(c, i > 0 ? out[i - 1] : '\0');

		if (fault != NULL)
			return fault;
		letter = letter || (c >= 'a' && c <= 'z');
		out[i] = c;
	}
	out[length] = '\0';
	if (out[0] == '-' || out[length - 1] == '-')
		return "it begins or ends with a hyphen";
	return letter ? NULL : "it has no letter";
}

const char *announcement_port_name(const char *text, size_t length, char out[ANNOUNCEMENT_PORT_NAME_MAX + 1])
{
	const char *fault;

	if (length == 0)
		fault = "it is empty";
	else if (length > ANNOUNCEMENT_PORT_NAME_MAX)
		fault = "it has more than 15 characters";
	else
		fault = fold_name(text, length, out);
	if (fault != NULL)
		out[0] = '\0';
	return fault;
}

uint16_t announcement_port_number(const char *text, size_t length)
{
	uint32_t number = 0;

	if (length == 0 || length > 5 || text[0] == '0')
		return 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		number = number * 10 + (uint32_t)(text[i] - '0');
	}
	return number <= UINT16_MAX ? (uint16_t)number : 0;
}

const char *announcement_port_add(struct announcement_port *ports, unsigned *count, const struct announcement_port *port)
{
	unsigned i = 0;

	while (i < *count && strcmp(ports[i].name, port->name) < 0)
		i++;
	if (i < *count && strcmp(ports[i].name, port->name) == 0)
		return "given twice";
	if (*count == ANNOUNCEMENT_PORTS_MAX)
		return "more than 16 ports";
	memmove(&ports[i + 1], &ports[i], (*count - i) * sizeof(*ports));
	ports[i] = *port;
	++*count;
	return NULL;
}

bool announcement_ports_equal(const struct announcement_port *a, unsigned na, const struct announcement_port *b, unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++)
		if (a[i].port != b[i].port || strcmp(a[i].name, b[i].name) != 0)
			return false;
	return true;
}
