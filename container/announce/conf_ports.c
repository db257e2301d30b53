#include <config.h>

#include "conf.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_SHOWN 40

static void conf_drop_port(struct conf *conf, const char *name)
{
	unsigned i;

	for (i = 0; i < conf->nports; i++) {
		if (strcmp(conf->ports[i].name, name) != 0)
			continue;
		memmove(conf->ports + i, conf->ports + i + 1, (conf->nports - i - 1) * sizeof(conf->ports[0]));
		conf->nports--;
		return;
	}
}

static size_t trim(const char **text, size_t length)
{
	while (length > 0 && (**text == ' ' || **text == '\t')) {
		++*text;
		length--;
	}
	while (length > 0 && ((*text)[length - 1] == ' ' || (*text)[length - 1] == '\t'))
		length--;
	return length;
}

/* Blanks around both are fine. NULL, or what is wrong. */
static const char *parse_port(const char *text, size_t length, struct announcement_port *port)
{
	const char *equals = memchr(text, '=', length), *number, *fault;
	size_t digits;

	if (equals == NULL)
		return "not of the form NAME=NUMBER, such as http=8080";
	number = equals + 1;
	digits = trim(&number, (size_t)(text + length - number));
	length = trim(&text, (size_t)(equals - text));
	memset(port, 0, sizeof(*port));
	fault = announcement_port_name(text, length, port->name);
	if (fault != NULL)
		return fault;
	port->port = announcement_port_number(number, digits);
	return port->port != 0 ? NULL : "a port is a whole number from 1 to 65535";
}

int conf_add_port(struct conf *conf, const char *text, size_t length, bool replace, char *error, size_t size)
{
	struct announcement_port port;
	char safe[NUMBER_SHOWN];
	const char *fault = parse_port(text, length, &port);

	if (fault == NULL && replace)
		conf_drop_port(conf, port.name);
	if (fault == NULL)
		fault = announcement_port_add(conf->ports, &conf->nports, &port);
	if (fault == NULL)
		return 0;
	snprintf(error, size, "\"%s\": %s", log_safe(safe, sizeof(safe), text, length), fault);
	return -1;
}
