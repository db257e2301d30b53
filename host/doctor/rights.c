#include <config.h>

#include "rights.h"

#include <stdio.h>
#include <string.h>

#include "shared/contract/legacy.h"

#define ESCAPED_SIZE (2 * RIGHTS_PREFIX_SIZE)

char *rights_escape(const char *text, char *out)
{
	char *at = out;

	for (; *text != '\0'; text++) {
		if (strchr("\\.+*?()[]{}|^$", *text) != NULL)
			*at++ = '\\';
		*at++ = *text;
	}
	*at = '\0';
	return out;
}

void rights_host(const char *host, bool legacy, struct rights *out)
{
	const char *head = legacy ? "(" EXCHANGE_LEGACY "|" : "", *tail = legacy ? ")" : "";
	char name[ESCAPED_SIZE];

	rights_escape(host, name);
	snprintf(out->configure, RIGHTS_TEXT, "^%scallsign(\\.will|\\.rollcall|\\.host\\.%s)?%s$", head, name, tail);
	snprintf(out->write, RIGHTS_TEXT, "^(callsign|callsign\\.rollcall|callsign\\.host\\.%s|amq\\.default)$", name);
	snprintf(out->read, RIGHTS_TEXT, "^%scallsign(\\.rollcall|\\.host\\.%s)?%s$", head, name, tail);
}

void rights_agent(const char *host, struct rights *out, struct rights_topic *topic)
{
	char name[ESCAPED_SIZE];

	rights_escape(host, name);
	snprintf(out->configure, RIGHTS_TEXT, "^callsign\\.will\\.@agent\\.%s\\..*", name);
	snprintf(out->write, RIGHTS_TEXT, "^(callsign|callsign\\.will\\.@agent\\.%s\\..*)$", name);
	snprintf(out->read, RIGHTS_TEXT, "^(callsign\\.will\\.@agent\\.%s\\..*|callsign\\.rollcall)$", name);
	snprintf(topic->announce_write, RIGHTS_TEXT, "^(up|down)\\..*");
	snprintf(topic->announce_read, RIGHTS_TEXT, "^$");
	topic->will[0] = '\0';
}

/* Never amq.default: who has it may write into any queue. */
void rights_emitter(const char *prefix, struct rights *out, struct rights_topic *topic)
{
	char name[ESCAPED_SIZE];

	rights_escape(prefix, name);
	snprintf(out->configure, RIGHTS_TEXT, "^callsign\\.will\\.%s.*", name);
	snprintf(out->write, RIGHTS_TEXT, "^(callsign|callsign\\.will|callsign\\.will\\.%s.*)$", name);
	snprintf(out->read, RIGHTS_TEXT, "^(callsign\\.will\\.%s.*|callsign\\.will|callsign\\.rollcall)$", name);
	snprintf(topic->announce_write, RIGHTS_TEXT, "^(up|down)\\.%s.*", name);
	snprintf(topic->announce_read, RIGHTS_TEXT, "^$");
	snprintf(topic->will, RIGHTS_TEXT, "^callsign\\.will\\.%s.*", name);
}
