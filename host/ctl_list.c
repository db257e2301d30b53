#include <config.h>

#include "ctl.h"

#include <string.h>

#include "ctl_client.h"
#include "ctl_entry.h"
#include "ctl_table.h"

static const struct table_column columns[] = {
	{.title = "NAME", .least = 12},
	{.title = "ADDRESSES", .least = 15, .priority = 8},
	{.title = "ALIASES", .least = 7, .priority = 3},
	{.title = "STATE", .least = 11, .priority = 9, .tone = true},
	{.title = "SINCE", .least = 10, .priority = 7, .right = true},
	{.title = "LEASE LEFT", .least = 10, .priority = 4, .right = true},
	{.title = "USER", .least = 8, .priority = 5},
	{.title = "INSTANCE", .least = 10, .priority = 2},
};

#define COLUMNS (sizeof columns / sizeof *columns)

static int add_row(struct table *table, const json_t *entry)
{
	char addresses[1024], aliases[1024], age[32], lease[32];
	const char *cells[COLUMNS] = {
		entry_text(entry, "name"),
		entry_join(json_object_get(entry, "addresses"), addresses, sizeof addresses),
		entry_join(json_object_get(entry, "aliases"), aliases, sizeof aliases),
		entry_text(entry, "state"),
		entry_age(entry_number(entry, "since_age_s", -1), age, sizeof age),
		entry_age(entry_number(entry, "lease_left_s", -1), lease, sizeof lease),
		entry_text(entry, "user"),
		entry_text(entry, "instance"),
	};

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
	if (ctl->json)
		fputs(count == 0 ? "[]\n" : "\n]\n", stdout);
	else if (table_rows(table) > 0)
		table_print(table, stdout, ctl->width, ctl->colour, 0, table_rows(table), "\n");
	return code;
}

int ctl_list(struct ctl *ctl, int argc, char **argv)
{
	char **arguments = ctl_arguments(ctl, argc, argv, 0, 1);
	json_t *request = json_pack("{s:s}", "op", "list");
	struct ctl_client *client;
	struct table *table;
	int code;

	if (arguments[0] != NULL)
		json_object_set_new(request, "pattern", ctl_text(ctl, arguments[0]));
	client = ctl_client_open(ctl, &code);
	table = table_new(columns, COLUMNS);
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
