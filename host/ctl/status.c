#include <config.h>

#include "ctl.h"

#include <string.h>

#include "client.h"
#include "entry.h"
#include "shared/log.h"

/* Text from the daemon as a terminal may have it. Two at a time. */
static const char *safe(const char *text)
{
	static char buffers[2][1024];
	static unsigned turn;
	char *out = buffers[turn++ % 2];

	if (text == NULL)
		return "";
	return log_phrase(out, sizeof buffers[0], text, strlen(text));
}

static json_int_t count(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_key(const char *key)
{
	printf("  %-15s ", key);
}

static void print_head(const struct ctl *ctl, const json_t *status)
{
	bool ok = strcmp(entry_text(status, "health"), "ok") == 0;
	char age[32], domains[1024];

	printf("callsignd %s on %s: %s%s%s\n", safe(entry_text(status, "version")), safe(entry_text(status, "hostname")),
	       table_tone_on(ok ? TABLE_GOOD : TABLE_BAD, ctl->colour), ok ? "ok" : "degraded", table_tone_off(ctl->colour));
	print_key("running for");
	printf("%s\n", entry_age(entry_number(status, "started_age_s", -1), age, sizeof age));
	print_key("domain");
	printf("%s\n", safe(entry_text(status, "domain")));
	if (json_array_size(json_object_get(status, "domains")) > 1) {
		print_key("all domains");
		printf("%s\n", safe(entry_join(json_object_get(status, "domains"), domains, sizeof domains)));
	}
}

/* A daemon that is older than this callsignctl says nothing of them. */
static void print_libraries(const json_t *status)
{
	json_t *libraries = json_object_get(status, "libraries"), *version;
	const char *library, *between = "";

	if (json_object_size(libraries) == 0)
		return;
	print_key("libraries");
	json_object_foreach (libraries, library, version) {
		printf("%s%s %s", between, safe(library), safe(json_string_value(version) != NULL ? json_string_value(version) : "?"));
		between = ", ";
	}
	putchar('\n');
}

static void print_broker(const json_t *status)
{
	const json_t *broker = json_object_get(status, "broker"), *resync = json_object_get(status, "resync");
	char age[32];

	print_key("broker");
	printf("%s: %s for %s, connected %" JSON_INTEGER_FORMAT " time(s)\n", safe(entry_text(broker, "endpoint")),
	       safe(entry_text(broker, "state")), entry_age(entry_number(broker, "since_age_s", -1), age, sizeof age),
	       count(broker, "connects"));
	print_key("queue");
	printf("%s", safe(entry_text(broker, "queue")));
	if (json_is_number(json_object_get(broker, "queue_depth_time_age_s")))
		printf(", %" JSON_INTEGER_FORMAT " waited in it %s ago", count(broker, "queue_depth"),
		       entry_age(entry_number(broker, "queue_depth_time_age_s", -1), age, sizeof age));
	putchar('\n');
	print_key("resync");
	printf("%s", safe(entry_text(resync, "state")));
	if (json_is_number(json_object_get(resync, "done_age_s")))
		printf(", last done %s ago", entry_age(entry_number(resync, "done_age_s", -1), age, sizeof age));
	putchar('\n');
}

static void print_names(const json_t *status)
{
	const json_t *names = json_object_get(status, "names"), *changes = json_object_get(status, "changes");
	const json_t *messages = json_object_get(status, "messages");
	char age[32];

	print_key("names");
	printf("%" JSON_INTEGER_FORMAT " served, of %" JSON_INTEGER_FORMAT " instance(s), %" JSON_INTEGER_FORMAT " unconfirmed, %" JSON_INTEGER_FORMAT
	       " lost\n", count(names, "served"), count(names, "instances"), count(names, "unconfirmed"), count(names, "lost"));
	print_key("last change");
	if (json_is_null(json_object_get(changes, "last_time")))
		puts("none since the start");
	else
		printf("%s %s %s ago\n", safe(entry_text(changes, "last_name")), safe(entry_text(changes, "last")),
		       entry_age(entry_number(changes, "last_time_age_s", -1), age, sizeof age));
	print_key("messages");
	printf("%" JSON_INTEGER_FORMAT " taken in, %" JSON_INTEGER_FORMAT " refused\n", count(messages, "deliveries"), count(messages, "refused"));
}

static void print_dnsmasq(const json_t *status)
{
	const json_t *dnsmasq = json_object_get(status, "dnsmasq");
	const char *written = entry_text(dnsmasq, "serial_written"), *served = entry_text(dnsmasq, "serial_served");

	print_key("dnsmasq");
	if (served[0] == '\0')
		printf("has not answered yet; serial %s is written to %s\n", safe(written), safe(entry_text(dnsmasq, "hosts_file")));
	else if (strcmp(written, served) == 0)
		printf("serves serial %s, the newest\n", safe(served));
	else
		printf("serves serial %s, %s is written\n", safe(served), safe(written));
	if (json_is_number(json_object_get(dnsmasq, "last_reload_ms"))) {
		print_key("last reload");
		printf("%.1f ms, of %" JSON_INTEGER_FORMAT "\n", entry_number(dnsmasq, "last_reload_ms", 0), count(dnsmasq, "reloads"));
	}
}

/* Those besides dnsmasq, which has lines of its own. What is wrong in words stands among the warnings. */
static void print_sinks(const struct ctl *ctl, const json_t *status)
{
	const json_t *sinks = json_object_get(status, "sinks");

	for (size_t i = 0; i < json_array_size(sinks); i++) {
		const json_t *sink = json_array_get(sinks, i);
		bool well = json_is_null(json_object_get(sink, "trouble"));
		json_int_t behind = count(status, "generation") - count(sink, "served");

		if (strcmp(entry_text(sink, "name"), "dnsmasq") == 0)
			continue;
		print_key("sink");
		printf("%s%s: %s%s%s", safe(entry_text(sink, "name")), json_is_true(json_object_get(sink, "required")) ? " (required)" : "",
		       table_tone_on(well ? TABLE_GOOD : TABLE_BAD, ctl->colour), well ? "ok" : "in trouble", table_tone_off(ctl->colour));
		if (behind > 0)
			printf(", %" JSON_INTEGER_FORMAT " batch(es) behind", behind);
		putchar('\n');
	}
}

static void print_warnings(const struct ctl *ctl, const json_t *status)
{
	const json_t *warnings = json_object_get(status, "warnings");
	size_t i;

	for (i = 0; i < json_array_size(warnings); i++)
		printf("%swarning:%s %s\n", table_tone_on(TABLE_BAD, ctl->colour), table_tone_off(ctl->colour),
		       safe(json_string_value(json_array_get(warnings, i))));
}

int ctl_status(struct ctl *ctl, int argc, char **argv)
{
	const json_t *status;
	json_t *answer;
	int code;

	ctl_arguments(ctl, argc, argv, 0, 0);
	answer = ctl_ask(ctl, json_pack("{s:s}", "op", "status"), &code);
	if (answer == NULL)
		return code;
	status = json_object_get(answer, "status");
	if (ctl->json) {
		ctl_print_json(status);
	} else {
		print_head(ctl, status);
		print_libraries(status);
		print_broker(status);
		print_names(status);
		print_dnsmasq(status);
		print_sinks(ctl, status);
		print_warnings(ctl, status);
	}
	code = strcmp(entry_text(status, "health"), "ok") == 0 ? CTL_YES : CTL_NO;
	json_decref(answer);
	return ctl_done(code);
}
