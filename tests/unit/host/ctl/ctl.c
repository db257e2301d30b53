#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ctl/entry.h"
#include "host/ctl/model.h"
#include "host/ctl/table.h"
#include "host/ctl/watch.h"

/* ---- tables ---- */

static const struct table_column columns[] = {
	{.title = "NAME", .least = 6},
	{.title = "ADDRESSES", .least = 10, .priority = 2},
	{.title = "N", .least = 3, .priority = 1, .right = true},
};

static struct table *two_rows(void)
{
	static const char *const first[] = {"web", "198.18.0.1,198.18.0.2", "7"};
	static const char *const other[] = {"a-rather-long-name", "198.18.0.3", "12345"};
	struct table *table = table_new(columns, 3);

	assert_non_null(table);
	assert_int_equal(table_add(table, TABLE_PLAIN, first), 0);
	assert_int_equal(table_add(table, TABLE_PLAIN, other), 0);
	return table;
}

static void tables_fit(void **state)
{
	static const struct {
		unsigned width, widths[3];
	} rows[] = {
		{0, {18, 21, 5}}, {48, {18, 21, 5}}, {47, {18, 20, 5}}, {44, {17, 18, 5}}, {40, {15, 16, 5}},
		{24, {6, 10, 4}}, {23, {6, 10, 3}},  {22, {10, 10, 0}}, {18, {6, 10, 0}},  {17, {17, 0, 0}},
		{6, {6, 0, 0}},   {1, {6, 0, 0}},
	};
	struct table *table = two_rows();
	unsigned widths[TABLE_COLUMNS_MAX], total;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		table_layout(table, rows[i].width, widths);
		total = 0;
		for (j = 0; j < 3; j++)
			total += widths[j] != 0 ? widths[j] + (total != 0 ? TABLE_GAP : 0) : 0;
		if (rows[i].width >= 6)
			assert_true(total <= rows[i].width);
		for (j = 0; j < 3; j++) {
			if (widths[j] != rows[i].widths[j])
				fail_msg("width %u: column %zu has %u", rows[i].width, j, widths[j]);
		}
	}
	for (i = 0; i < 48; i++) { /* wider never shows less */
		table_layout(table, (unsigned)i + 1, widths);
		assert_true(widths[0] >= 6);
	}
	table_free(table);
}

static char *printed(const struct table *table, unsigned width, bool colour)
{
	static char text[8192];
	FILE *out = fmemopen(text, sizeof text, "w");

	assert_non_null(out);
	table_print(table, out, width, colour, 0, 100, "\n");
	fclose(out);
	return text;
}

static void tables_print(void **state)
{
	struct table *table = two_rows();
	char *text;

	(void)state;
	text = printed(table, 0, false);
	assert_string_equal(text, "NAME                ADDRESSES                  N\n"
	                          "web                 198.18.0.1,198.18.0.2      7\n"
	                          "a-rather-long-name  198.18.0.3             12345\n");
	text = printed(table, 23, false);
	assert_string_equal(text, "NAME    ADDRESSES     N\n"
	                          "web     198.18.0..    7\n"
	                          "a-ra..  198.18.0.3  1..\n");
	table_free(table);
}

static void tables_let_nothing_move_the_cursor(void **state)
{
	static const char *const cells[] = {"\033[2J\r\nx", "\302\233", "\177"};
	struct table *table = table_new(columns, 3);
	char *text;

	(void)state;
	assert_int_equal(table_add(table, TABLE_BAD, cells), 0);
	text = printed(table, 0, false);
	assert_null(strpbrk(text, "\033\r\177\233\302"));
	assert_non_null(strstr(text, "\\x1b[2J\\x0d\\x0ax"));
	table_free(table);
}

static void colour_only_where_wanted(void **state)
{
	static const struct table_column toned[] = {{.title = "S", .tone = true}};
	static const char *const cells[] = {"lost"};
	struct table *table = table_new(toned, 1);
	char *text;

	(void)state;
	assert_int_equal(table_add(table, TABLE_BAD, cells), 0);
	text = printed(table, 80, true);
	assert_string_equal(text, "S\n\033[31mlost\033[0m\n");
	text = printed(table, 80, false);
	assert_string_equal(text, "S\nlost\n");
	table_free(table);
}

/* ---- numbers for people ---- */

static void ages_have_two_units(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} rows[] = {
		{0, "0 s"},         {59.9, "59 s"},     {60, "1 min"},       {125, "2 min 5 s"},       {3600, "1 h"},
		{3661, "1 h 1 min"}, {86400, "1 d"},     {90000, "1 d 1 h"}, {86400 * 400.0, "400 d"}, {-1, "-"},
		{1e300, "-"},       {0.0 / 0.0, "-"},
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(entry_age(rows[i].seconds, text, sizeof text), rows[i].text);
}

static void lists_are_joined(void **state)
{
	json_t *array = json_pack("[s,s,s]", "one", "two", "three");
	char text[32], little[9];

	(void)state;
	assert_string_equal(entry_join(array, text, sizeof text), "one,two,three");
	assert_string_equal(entry_join(array, little, sizeof little), "one,tw..");
	assert_string_equal(entry_join(NULL, text, sizeof text), "-");
	json_decref(array);
	array = json_pack("{s:i, s:i}", "http", 9090, "ws", 9091);
	assert_string_equal(entry_ports(array, text, sizeof text), "http=9090,ws=9091");
	assert_string_equal(entry_ports(NULL, text, sizeof text), "-");
	json_decref(array);
}

/* ---- the model ---- */

struct seen {
	char text[4096];
};

static void note(void *arg, enum model_change change, const struct model_row *row, const char *why)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	snprintf(seen->text + used, sizeof seen->text - used, "%c%s%s%s ", "=+~-"[change], row->name, why[0] != '\0' ? ":" : "", why);
}

static void take(struct model *model, const char *text, int64_t now_ms)
{
	json_t *line = json_loads(text, 0, NULL);

	assert_non_null(line);
	assert_int_equal(model_take(model, line, now_ms), 0);
	json_decref(line);
}

static void take_entry(struct model *model, const char *name, const char *state, const char *address, unsigned generation, int64_t now_ms)
{
	json_t *line = json_pack("{s:s,s:i,s:{s:s,s:s+,s:s,s:b,s:[s],s:[s],s:[s+,s],s:f,s:s,s:s+}}", "event", "entry", "generation", (int)generation,
	                         "entry", "name", name, "fqdn", name, ".docker", "state", state, "name_served", 1, "addresses", address,
	                         "aliases", "www", "fqdns", name, ".docker", "www.docker", "since_age_s", 1.5, "user", "u", "instance", name, "-instance");

	assert_non_null(line);
	assert_int_equal(model_take(model, line, now_ms), 0);
	json_decref(line);
}

static void models_follow_events(void **state)
{
	struct seen seen = {""};
	struct model *model = model_new(note, &seen);

	(void)state;
	take(model, "{\"event\":\"daemon\",\"broker\":\"connected\",\"blocked\":false,\"resync\":\"done\"}", 1000);
	take(model, "{\"event\":\"list\",\"lagged\":false}", 1000);
	take_entry(model, "a", "confirmed", "198.18.0.1", 1, 1000);
	assert_false(model_live(model));
	take(model, "{\"event\":\"live\",\"generation\":2,\"served\":1}", 1000);
	assert_true(model_live(model));
	assert_int_equal(model_generation(model), 2);
	assert_int_equal(model_served(model), 1);
	take_entry(model, "b", "confirmed", "198.18.0.2", 3, 2000);
	take_entry(model, "a", "confirmed", "198.18.0.1", 4, 3000); /* renewed: nothing to see */
	take_entry(model, "a", "unconfirmed", "198.18.0.1", 5, 4000);
	take(model, "{\"event\":\"served\",\"generation\":5}", 4000);
	take(model, "{\"event\":\"gone\",\"generation\":6,\"name\":\"b\",\"instance\":\"b-instance\",\"why\":\"down\"}", 5000);
	take(model, "{\"event\":\"gone\",\"generation\":9,\"name\":\"c\",\"instance\":\"never heard of\",\"why\":\"down\"}", 5000);
	take(model, "{\"event\":\"of a later version\"}", 5000);
	assert_string_equal(seen.text, "=a +b ~a -b:down ");
	assert_int_equal(model_generation(model), 6); /* not 9: that is no business of ours */
	assert_int_equal(model_served(model), 5);
	assert_string_equal(model_daemon(model)->broker, "connected");
	model_free(model);
}

static void models_compare_a_list_that_comes_again(void **state)
{
	struct seen seen = {""};
	struct model *model = model_new(note, &seen);

	(void)state;
	take(model, "{\"event\":\"list\",\"lagged\":false}", 0);
	take_entry(model, "a", "confirmed", "198.18.0.1", 1, 0);
	take_entry(model, "b", "confirmed", "198.18.0.2", 1, 0);
	take_entry(model, "c", "confirmed", "198.18.0.3", 1, 0);
	take(model, "{\"event\":\"live\",\"generation\":1,\"served\":1}", 0);
	seen.text[0] = '\0';
	take(model, "{\"event\":\"list\",\"lagged\":true}", 0);
	take_entry(model, "a", "confirmed", "198.18.0.1", 2, 0);
	take_entry(model, "c", "confirmed", "198.18.0.9", 2, 0);
	take_entry(model, "d", "confirmed", "198.18.0.4", 2, 0);
	assert_false(model_live(model));
	take(model, "{\"event\":\"live\",\"generation\":2,\"served\":2}", 0);
	assert_string_equal(seen.text, "~c +d -b:went while this program was behind ");
	assert_int_equal(model_count(model), 3);
	assert_true(model_lagged(model));
	model_free(model);
}

static void models_refuse_what_is_none(void **state)
{
	static const char *const rows[] = {
		"{}", "{\"event\":7}", "{\"event\":\"entry\"}", "{\"event\":\"entry\",\"entry\":[]}",
		"{\"event\":\"entry\",\"entry\":{\"instance\":\"0123456789012345678901234567890123456789\"}}",
	};
	struct model *model = model_new(NULL, NULL);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *line = json_loads(rows[i], 0, NULL);

		assert_int_equal(model_take(model, line, 0), -1);
		json_decref(line);
	}
	model_free(model);
}

static bool serves(void *arg, const struct model_row *row)
{
	static const char *const yes[] = {"web", "web.docker", "www", "www.docker"};
	static const char *const no[] = {"we", "webx", "web.dock", "ww", "www.dockers", "docker", ".docker", "", "w"};
	size_t i;

	*(bool *)arg = true;
	for (i = 0; i < sizeof yes / sizeof *yes; i++)
		assert_true(model_row_serves(row, yes[i]));
	for (i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(model_row_serves(row, no[i]));
	return true;
}

static void rows_serve_names_and_aliases(void **state)
{
	struct model *model = model_new(NULL, NULL);
	bool looked = false;

	(void)state;
	take_entry(model, "web", "confirmed", "198.18.0.1", 1, 0);
	model_each(model, serves, &looked);
	assert_true(looked);
	model_free(model);
}

/* ---- watch ---- */

static char *screen(const struct model *model, const struct watch_options *options, unsigned width, unsigned lines)
{
	static char text[8192];
	FILE *out = fmemopen(text, sizeof text, "w");

	assert_non_null(out);
	watch_print_table(out, model, options, width, lines, 10000, "\n");
	fclose(out);
	return text;
}

static void the_screen_is_sorted_and_fits(void **state)
{
	struct watch_options options = {.sort = WATCH_BY_NAME};
	struct model *model = model_new(NULL, NULL);
	char *text, *line;
	unsigned count = 0;

	(void)state;
	take(model, "{\"event\":\"live\",\"generation\":1,\"served\":1}", 0);
	take_entry(model, "zebra", "waiting", "198.18.0.1", 1, 1000);
	take_entry(model, "ant", "confirmed", "198.18.0.2", 1, 2000);
	take_entry(model, "bee", "confirmed", "198.18.0.3", 1, 9000);
	take_entry(model, "bee", "unconfirmed", "198.18.0.3", 1, 9500);
	text = screen(model, &options, 60, 24);
	assert_true(strstr(text, "ant") < strstr(text, "bee") && strstr(text, "bee") < strstr(text, "zebra"));
	assert_non_null(strstr(text, "* "));
	options.sort = WATCH_BY_AGE;
	text = screen(model, &options, 60, 24);
	assert_true(strstr(text, "bee") < strstr(text, "zebra") || strstr(text, "zebra") < strstr(text, "ant"));
	options.sort = WATCH_BY_STATE;
	text = screen(model, &options, 60, 24);
	assert_true(strstr(text, "zebra") < strstr(text, "bee") && strstr(text, "bee") < strstr(text, "ant"));
	options.sort = WATCH_BY_CHANGES;
	options.states = "confirmed,unconfirmed";
	text = screen(model, &options, 60, 4); /* one row fits */
	assert_non_null(strstr(text, "bee"));
	assert_null(strstr(text, "zebra"));
	assert_null(strstr(text, "ant"));
	assert_non_null(strstr(text, "more than fit here"));
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 60);
		count++;
	}
	assert_int_equal(count, 4);
	model_free(model);
}

static void options_are_checked(void **state)
{
	enum watch_sort sort;

	(void)state;
	assert_int_equal(watch_sort_parse("changes", &sort), 0);
	assert_int_equal(sort, WATCH_BY_CHANGES);
	assert_int_equal(watch_sort_parse("nam", &sort), -1);
	assert_true(watch_states_valid("lost"));
	assert_true(watch_states_valid("lost,waiting"));
	assert_false(watch_states_valid(""));
	assert_false(watch_states_valid("lost,wait"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fit),
		cmocka_unit_test(tables_print),
		cmocka_unit_test(tables_let_nothing_move_the_cursor),
		cmocka_unit_test(colour_only_where_wanted),
		cmocka_unit_test(ages_have_two_units),
		cmocka_unit_test(lists_are_joined),
		cmocka_unit_test(models_follow_events),
		cmocka_unit_test(models_compare_a_list_that_comes_again),
		cmocka_unit_test(models_refuse_what_is_none),
		cmocka_unit_test(rows_serve_names_and_aliases),
		cmocka_unit_test(the_screen_is_sorted_and_fits),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
