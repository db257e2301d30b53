#include <config.h>

#include "ctl.h"

#include <string.h>

#include "client.h"
#include "entry.h"
#include "table.h"

static const struct table_column columns[] = {
	{.title = "NAME", .least = 12},
	{.title = "DOMAINS", .least = 8, .priority = 6},
	{.title = "ADDRESSES", .least = 15, .priority = 8},
	{.title = "ALIASES", .least = 7, .priority = 3},
	{.title = "PORTS", .least = 5, .priority = 2},
	{.title = "STATE", .least = 11, .priority = 9, .tone = true},
	{.title = "SINCE", .least = 10, .priority = 7, .right = true},
	{.title = "LEASE LEFT", .least = 10, .priority = 4, .right = true},
	{.title = "USER", .least = 8, .priority = 5},
	{.title = "INSTANCE", .least = 10, .priority = 1},
	{.title = "AGENT", .least = 12, .priority = 1},
};

#define COLUMNS (sizeof columns / sizeof *columns)
#define AGENT (COLUMNS - 1) /* with --wide alone */
#define DOMAINS 1 /* its column: shown only where there is more than one domain to tell of */

/* The domain that all entries so far are in; "" before the first, NULL once there are several. */
static const char *only_domain = "";

static void note_domains(const json_t *domains)
{
	static char seen[256];
	const char *domain = json_string_value(json_array_get(domains, 0));

	if (domain == NULL || only_domain == NULL)
		return;
	if (json_array_size(domains) > 1 || strlen(domain) >= sizeof seen || (only_domain[0] != '\0' && strcmp(only_domain, domain) != 0)) {
		only_domain = NULL;
		return;
	}
	memcpy(seen, domain, strlen(domain) + 1);
	only_domain = seen;
}

static int add_row(struct table *table, const json_t *entry)
{
	char domains[1024], addresses[1024], aliases[1024], ports[512], age[32], lease[32];
	const char *cells[COLUMNS] = {
		entry_text(entry, "name"),
		entry_join(json_object_get(entry, "domains"), domains, sizeof domains),
		entry_join(json_object_get(entry, "addresses"), addresses, sizeof addresses),
		entry_join(json_object_get(entry, "aliases"), aliases, sizeof aliases),
		entry_ports(json_object_get(entry, "ports"), ports, sizeof ports),
		entry_text(entry, "state"),
		entry_age(entry_number(entry, "since_age_s", -1), age, sizeof age),
		entry_age(entry_number(entry, "lease_left_s", -1), lease, sizeof lease),
		entry_text(entry, "user"),
		entry_text(entry, "instance"),
		entry_text(entry, "agent"),
	};

	note_domains(json_object_get(entry, "domains"));
	return table_add(table, entry_tone(entry_text(entry, "state")), cells);
}

/* A JSON array with a line for each entry, written as they come. */
static void print_entry(const json_t *entry, size_t before)
{
	fputs(before == 0 ? "[\n" : ",\n", stdout);
	json_dumpf(entry, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
}

/* Takes line over. Returns false at the end of the list, with *code. */
static bool take_line(const struct ctl *ctl, json_t *line, struct table *table, size_t *count, int *code)
{
	const json_t *entry = json_object_get(line, "entry");
	bool more = entry != NULL;

	if (line == NULL) {
		*code = CTL_NOT_RUNNING;
	} else if (!more) {
		*code = ctl_refused(ctl, line) || *count == 0 ? CTL_NO : CTL_YES;
	} else if (ctl->json) {
		print_entry(entry, *count);
	} else if (add_row(table, entry) == -1) {
		ctl_error("out of memory");
		*code = CTL_NO;
		more = false;
	}
	*count += more;
	json_decref(line);
	return more;
}

static int list(const struct ctl *ctl, struct ctl_client *client, struct table *table)
{
	size_t count = 0;
	int code;

	while (take_line(ctl, ctl_client_line(client), table, &count, &code))
		;
	if (only_domain != NULL)
		table_hide(table, DOMAINS);
	if (ctl->json)
		fputs(count == 0 ? "[]\n" : "\n]\n", stdout);
	else if (table_rows(table) > 0)
		table_print(table, stdout, ctl->width, ctl->colour, 0, table_rows(table), "\n");
	return code;
}

/* ---- what emitters have withdrawn with a reason ---- */

static int print_withdrawn(const struct ctl *ctl, const json_t *withdrawn)
{
	static const struct table_column withdrawn_columns[] = {
		{.title = "NAME", .least = 12},
		{.title = "WITHDRAWN", .least = 10, .priority = 9, .right = true},
		{.title = "REASON", .least = 20, .priority = 8},
		{.title = "USER", .least = 8, .priority = 5},
		{.title = "INSTANCE", .least = 10, .priority = 2},
	};
	struct table *table = table_new(withdrawn_columns, sizeof withdrawn_columns / sizeof *withdrawn_columns);
	size_t i, count = json_array_size(withdrawn);
	bool full = table != NULL;
	char age[32];

	for (i = 0; full && i < count; i++) {
		const json_t *entry = json_array_get(withdrawn, i);
		const char *cells[] = {entry_text(entry, "name"), entry_age(entry_number(entry, "since_age_s", -1), age, sizeof age),
		                       entry_text(entry, "reason"), entry_text(entry, "user"), entry_text(entry, "instance")};

		full = table_add(table, TABLE_DOUBTFUL, cells) == 0;
	}
	if (!full)
		ctl_error("out of memory");
	else if (count > 0)
		table_print(table, stdout, ctl->width, ctl->colour, 0, table_rows(table), "\n");
	table_free(table);
	return full && count > 0 ? CTL_YES : CTL_NO;
}

static int list_withdrawn(struct ctl *ctl)
{
	const json_t *withdrawn;
	int code;
	json_t *answer = ctl_ask(ctl, json_pack("{s:s}", "op", "withdrawn"), &code);

	if (answer == NULL)
		return code;
	withdrawn = json_object_get(answer, "withdrawn");
	code = json_array_size(withdrawn) > 0 ? CTL_YES : CTL_NO;
	if (ctl->json)
		ctl_print_json(withdrawn);
	else
		code = print_withdrawn(ctl, withdrawn);
	json_decref(answer);
	return ctl_done(code);
}

int ctl_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {CTL_OPTIONS, {"withdrawn", no_argument, NULL, 'w'}, {"wide", no_argument, NULL, 'W'}, {NULL, 0, NULL, 0}};
	json_t *request;
	struct ctl_client *client;
	struct table *table;
	bool withdrawn = false, wide = false;
	int code, option;

	while ((option = ctl_getopt(ctl, argc, argv, CTL_SHORT "wW", options)) != -1) {
		withdrawn = withdrawn || option == 'w';
		wide = wide || option == 'W';
	}
	if (wide)
		ctl->width = 0;
	if (argc - optind > (withdrawn ? 0 : 1))
		ctl_usage(ctl, "list: too many arguments");
	if (withdrawn)
		return list_withdrawn(ctl);
	request = json_pack("{s:s}", "op", "list");
	if (optind < argc)
		json_object_set_new(request, "pattern", ctl_text(ctl, argv[optind]));
	client = ctl_client_open(ctl, &code);
	table = table_new(columns, COLUMNS);
	if (table != NULL && !wide)
		table_hide(table, AGENT);
	if (client == NULL)
		json_decref(request);
	else if (table == NULL || ctl_client_ask(client, request) == -1)
		code = CTL_NOT_RUNNING;
	else
		code = list(ctl, client, table);
	table_free(table);
	ctl_client_close(client);
	return ctl_done(code);
}
