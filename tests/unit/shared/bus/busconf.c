#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/bus/busconf.h"
#include "shared/bus/busurl.h"
#include "tests/unit/exact.h"

#define V6_LONGEST "0000:0000:0000:0000:0000:0000:255.255.255.255"

static void takes_good_urls(void **state)
{
	static const struct {
		const char *url, *user, *password, *host, *vhost;
		uint16_t port;
		bool tls;
	} rows[] = {
		{"amqp://localhost/", "guest", NULL, "localhost", "/", 5672, false},
		{"amqp://localhost", "guest", NULL, "localhost", "/", 5672, false},
		{"amqps://localhost", "guest", NULL, "localhost", "/", 5671, true},
		{"AMQPS://Broker.Example", "guest", NULL, "broker.example", "/", 5671, true},
		{"amqp://web@10.0.0.1", "web", NULL, "10.0.0.1", "/", 5672, false},
		{"amqp://web:secret@10.0.0.1:5673/lab", "web", "secret", "10.0.0.1", "lab", 5673, false},
		{"amqp://web:secret@gateway/%2F", "web", "secret", "gateway", "/", 5672, false},
		{"amqp://web:secret@gateway/%2f", "web", "secret", "gateway", "/", 5672, false},
		{"amqp://u%40x:p%3Aw%2F%25%20@h/v%2fw%23", "u@x", "p:w/% ", "h", "v/w#", 5672, false},
		{"amqp://[::1]", "guest", NULL, "::1", "/", 5672, false},
		{"amqp://web@[fd00::2]:1/v", "web", NULL, "fd00::2", "v", 1, false},
		{"amqp://[" V6_LONGEST "]:65535", "guest", NULL, V6_LONGEST, "/", 65535, false},
		{"amqp://b%72oker", "guest", NULL, "broker", "/", 5672, false},
		{"amqp://web:%C3%BC@broker", "web", "\xc3\xbc", "broker", "/", 5672, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[BUSCONF_ERROR_SIZE] = "";
		struct bus_endpoint *endpoint;
		struct busconf conf;

		busconf_init(&conf);
		if (busconf_add_url(&conf, rows[i].url, error) != 0)
			fail_msg("%s: %s", rows[i].url, error);
		assert_int_equal(conf.nendpoints, 1);
		endpoint = &conf.endpoints[0];
		assert_string_equal(endpoint->user, rows[i].user);
		assert_string_equal(endpoint->host, rows[i].host);
		assert_string_equal(endpoint->vhost, rows[i].vhost);
		assert_int_equal(endpoint->port, rows[i].port);
		assert_int_equal(endpoint->tls, rows[i].tls);
		if (rows[i].password == NULL)
			assert_null(endpoint->password);
		else
			assert_string_equal(endpoint->password, rows[i].password);
		busconf_clear(&conf);
	}
}

/* Wherever a password can end up by mistake, it is "sesame" here, and no error may hold it. */
static const struct bad {
	const char *url, *word;
} bad[] = {
	{"", "amqp://"},
	{"localhost", "amqp://"},
	{"http://localhost", "amqp://"},
	{"amqp:/localhost", "amqp://"},
	{"amqp:localhost", "amqp://"},
	{"sesame", "amqp://"},
	{"amqp://", "host is empty"},
	{"amqp:///vhost", "host is empty"},
	{"amqp://u:sesame@", "host is empty"},
	{"amqp://u:sesame@:5672", "host is empty"},
	{"amqp://u:sesame@/v", "host is empty"},
	{"amqp://@h", "user is empty"},
	{"amqp://:sesame@h", "user is empty"},
	{"amqp://u:@h", "password is empty"},
	{"amqp://u:ses:ame@h", "more than one ':'"},
	{"amqp://u:ses@ame@h", "more than one '@'"},
	{"amqp://u:sesame/@h", "not a number"},
	{"amqp://u:12/sesame@h", "'@' behind the host"},
	{"amqp://u:sesame", "not a number"},
	{"amqp://u:sesame?@h", "'?'"},
	{"amqp://u:sesame#@h", "'#'"},
	{"amqp://u:ses ame@h", "blank"},
	{"amqp://u:sesame\n@h", "control"},
	{"amqp://u:sesame\xc3\xbc@h", "not ASCII"},
	{"amqp://u:sesame%@h", "hex digits"},
	{"amqp://u:sesame%4@h", "hex digits"},
	{"amqp://u:sesame%g0@h", "hex digits"},
	{"amqp://u:sesame%0g@h", "hex digits"},
	{"amqp://u:sesame%00@h", "control"},
	{"amqp://u%00:sesame@h", "control"},
	{"amqp://u:sesame@h%00", "control"},
	{"amqp://u:sesame@h/%00", "control"},
	{"amqp://u:sesame@h/v%0a", "control"},
	{"amqp://u:sesame@h//", "%2F"},
	{"amqp://u:sesame@h/a/b", "%2F"},
	{"amqp://u:sesame@h/v?heartbeat=5", "'?'"},
	{"amqp://u:sesame@h:", "port"},
	{"amqp://u:sesame@h:0", "port"},
	{"amqp://u:sesame@h:65536", "port"},
	{"amqp://u:sesame@h:99999999999", "port"},
	{"amqp://u:sesame@h:+1", "not a number"},
	{"amqp://u:sesame@h:-1", "not a number"},
	{"amqp://u:sesame@h:%31", "not a number"},
	{"amqp://u:sesame@h:1:2", "not a number"},
	{"amqp://u:sesame@a_b", "letters"},
	{"amqp://u:sesame@-a", "hyphen"},
	{"amqp://u:sesame@a..b", "label is empty"},
	{"amqp://u:sesame@h%2Fx", "letters"},
	{"amqp://u:sesame@1.2.3", "number"},
	{"amqp://u:sesame@10.0.0.256", "number"},
	{"amqp://u:sesame@1234", "number"},
	{"amqp://u:sesame@fd00::1", "not a number"},
	{"amqp://u:sesame@fd00%3A%3A1", "brackets"},
	{"amqp://u:sesame@[fd00::1", "']'"},
	{"amqp://u:sesame@[fd00::1]x", "']'"},
	{"amqp://u:sesame@[fd00::1%25eth0]", "not an IPv6"},
	{"amqp://u:sesame@[10.0.0.1]", "not an IPv6"},
	{"amqp://u:sesame@[]", "empty"},
};

static void refuses_bad_urls_without_telling_the_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char error[BUSCONF_ERROR_SIZE] = "";
		struct busconf conf;

		busconf_init(&conf);
		if (busconf_add_url(&conf, bad[i].url, error) != -1)
			fail_msg("taken: %s", bad[i].url);
		assert_int_equal(conf.nendpoints, 0);
		if (strstr(error, bad[i].word) == NULL)
			fail_msg("%s\nwas refused with \"%s\", not for \"%s\"", bad[i].url, error, bad[i].word);
		assert_null(strstr(error, "sesame"));
		assert_null(strstr(error, "ame@"));
		busconf_clear(&conf);
	}
}

static void keeps_to_its_limits(void **state)
{
	char url[2048], part[1200], error[BUSCONF_ERROR_SIZE];
	static const struct {
		const char *format;
		size_t max;
	} rows[] = {{"amqp://%s@h", 255}, {"amqp://u:%s@h", 1024}, {"amqp://h/%s", 255}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t over = 0; over < 2; over++) {
			const char *marker = strstr(rows[i].format, "%s");
			struct busconf conf;

			memset(part, 'x', sizeof(part));
			part[rows[i].max + over] = '\0';
			snprintf(url, sizeof(url), "%.*s%s%s", (int)(marker - rows[i].format), rows[i].format, part,
				 marker + 2);
			busconf_init(&conf);
			assert_int_equal(busconf_add_url(&conf, url, error), over == 0 ? 0 : -1);
			busconf_clear(&conf);
		}
}

/* Any bytes, any length: it reads no further than it was told. */
static void survives_every_cut_and_byte(void **state)
{
	static const char url[] = "amqps://u%40:p%3A@[fd00::2]:5671/v%2F";

	(void)state;
	for (size_t length = 0; length < sizeof(url); length++)
		for (int byte = -1; byte < 256; byte++) {
			char *copy = exact_copy(url, length), error[BUSCONF_ERROR_SIZE] = "";
			struct bus_endpoint out = {0};

			if (byte >= 0 && length > 0)
				copy[length - 1] = (char)byte;
			if (busurl_parse(copy, length, &out, error) == -1)
				assert_true(strlen(error) > 0);
			free(out.host);
			free(out.vhost);
			free(out.user);
			free(out.password);
			free(copy);
		}
}

static void sets_lists(void **state)
{
	char error[BUSCONF_ERROR_SIZE] = "";
	struct busconf conf;

	(void)state;
	busconf_init(&conf);
	assert_true(conf.tls.verify);
	assert_int_equal(conf.heartbeat_s, BUS_HEARTBEAT_S);
	assert_int_equal(busconf_set_urls(&conf, " amqp://a , amqps://b:1/v\t,amqp://c", error), 0);
	assert_int_equal(conf.nendpoints, 3);
	assert_string_equal(conf.endpoints[0].host, "a");
	assert_string_equal(conf.endpoints[1].host, "b");
	assert_string_equal(conf.endpoints[2].host, "c");
	assert_int_equal(busconf_set_urls(&conf, "amqp://d", error), 0);
	assert_int_equal(conf.nendpoints, 1);
	assert_string_equal(conf.endpoints[0].host, "d");
	/* One bad URL: the list stays as it was, and the error says which it is. */
	assert_int_equal(busconf_set_urls(&conf, "amqp://e,amqp://u:sesame@f:x", error), -1);
	assert_non_null(strstr(error, "URL 2"));
	assert_null(strstr(error, "sesame"));
	assert_int_equal(busconf_set_urls(&conf, "amqp://e,,amqp://f", error), -1);
	assert_int_equal(conf.nendpoints, 1);
	assert_string_equal(conf.endpoints[0].host, "d");
	assert_int_equal(busconf_set_urls(&conf, " ", error), 0);
	assert_int_equal(conf.nendpoints, 0);
	assert_int_equal(busconf_set_urls(&conf, "", error), 0);
	busconf_clear(&conf);
}

static void sets_passwords_where_there_is_none(void **state)
{
	char error[BUSCONF_ERROR_SIZE];
	struct busconf conf;

	(void)state;
	busconf_init(&conf);
	assert_int_equal(busconf_set_urls(&conf, "amqp://a,amqp://u:own@b,amqp://v@c", error), 0);
	assert_int_equal(busconf_set_password(&conf, "common"), 0);
	assert_string_equal(conf.endpoints[0].password, "common");
	assert_string_equal(conf.endpoints[1].password, "own");
	assert_string_equal(conf.endpoints[2].password, "common");
	busconf_clear(&conf);
	assert_int_equal(conf.nendpoints, 0);
	assert_null(conf.endpoints);
}

static void writes_endpoints_without_passwords(void **state)
{
	static const struct {
		const char *url, *text;
	} rows[] = {
		{"amqp://u:sesame@h", "amqp://u@h:5672/%2F"},
		{"amqps://u%40%0A:sesame@[::1]/a b", NULL},
		{"amqps://u%40%20:sesame@[::1]/a%20b", "amqps://u%40%20@[::1]:5671/a%20b"},
		{"amqp://%1b@h", NULL},
		{"amqp://%C3%BC@h/v-._~", "amqp://%C3%BC@h:5672/v-._~"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[BUSCONF_ERROR_SIZE], *out = malloc(strlen(rows[i].text == NULL ? "" : rows[i].text) + 1);
		struct busconf conf;

		assert_non_null(out);
		busconf_init(&conf);
		if (rows[i].text == NULL) {
			assert_int_equal(busconf_add_url(&conf, rows[i].url, error), -1);
		} else {
			assert_int_equal(busconf_add_url(&conf, rows[i].url, error), 0);
			busconf_endpoint_text(&conf.endpoints[0], out, strlen(rows[i].text) + 1);
			assert_string_equal(out, rows[i].text);
			busconf_endpoint_text(&conf.endpoints[0], out, 12);
			assert_int_equal(strlen(out), 11);
			assert_string_equal(out + 8, "...");
			busconf_endpoint_text(&conf.endpoints[0], out, 1);
			assert_string_equal(out, "");
		}
		busconf_clear(&conf);
		free(out);
	}
}

static char directory[64], file[80];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/callsign-busconf.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/password", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(directory);
}

/* file's password into a buffer, or -1 with error. */
static int read_password(const char *content, size_t length, mode_t mode, char out[1100],
			 char error[BUSCONF_ERROR_SIZE])
{
	FILE *stream = fopen(file, "we");
	char *password = NULL;

	assert_non_null(stream);
	assert_int_equal(fwrite(content, 1, length, stream), length);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(chmod(file, mode), 0);
	error[0] = '\0';
	if (busconf_read_password(file, NULL, &password, error) == -1) {
		assert_null(password);
		assert_non_null(strstr(error, file));
		assert_null(strstr(error, "sesame"));
		return -1;
	}
	snprintf(out, 1100, "%s", password);
	explicit_bzero(password, strlen(password));
	free(password);
	return 0;
}

static void reads_passwords(void **state)
{
	static const struct {
		const char *content, *password;
	} rows[] = {
		{"sesame", "sesame"},
		{"sesame\n", "sesame"},
		{"sesame\r\n", "sesame"},
		{" ses ame \n", " ses ame "},
		{"sesame\nsecond line\n", "sesame"},
		{"s\xc3\xbc"
		 "same\n",
		 "s\xc3\xbc"
		 "same"},
	};
	char out[1100], error[BUSCONF_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (read_password(rows[i].content, strlen(rows[i].content), 0600, out, error) != 0)
			fail_msg("%s", error);
		assert_string_equal(out, rows[i].password);
	}
	assert_int_equal(read_password("sesame", 6, 0640, out, error), 0);
	assert_int_equal(read_password("sesame", 6, 0400, out, error), 0);
}

static void refuses_bad_password_files(void **state)
{
	static const struct {
		const char *content;
		size_t length;
		mode_t mode;
		const char *word;
	} rows[] = {
		{"", 0, 0600, "empty"},
		{"\n", 1, 0600, "empty"},
		{"\r\n", 2, 0600, "empty"},
		{"\nsesame\n", 8, 0600, "empty"},
		{"ses\0ame", 7, 0600, "control"},
		{"ses\tame", 7, 0600, "control"},
		{"sesame\x1b\n", 8, 0600, "control"},
		{"sesame\r", 7, 0600, "control"},
		{"\xef\xbb\xbfsesame\n", 10, 0600, "byte order mark"},
		{"sesame", 6, 0604, "others"},
		{"sesame", 6, 0602, "others"},
		{"sesame", 6, 0644, "others"},
	};
	char out[1100], error[BUSCONF_ERROR_SIZE], content[1030], *password = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read_password(rows[i].content, rows[i].length, rows[i].mode, out, error), -1);
		if (strstr(error, rows[i].word) == NULL)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, error, rows[i].word);
	}
	memset(content, 'x', sizeof(content));
	assert_int_equal(read_password(content, 1024, 0600, out, error), 0);
	assert_int_equal(strlen(out), 1024);
	assert_int_equal(read_password(content, 1025, 0600, out, error), -1);
	assert_int_equal(read_password(content, sizeof(content), 0600, out, error), -1);
	memcpy(content + 1024, "\r\n", 2);
	assert_int_equal(read_password(content, 1026, 0600, out, error), 0);
	unlink(file);
	assert_int_equal(busconf_read_password(file, NULL, &password, error), -1);
	assert_non_null(strstr(error, "No such file"));
	assert_int_equal(busconf_read_password(directory, NULL, &password, error), -1);
	assert_non_null(strstr(error, "a directory"));
}

/* As engines mount secrets: 0444, or the mode of the file that is bound. What others may change is nobody's secret. */
static void takes_what_others_may_read_where_asked_to(void **state)
{
	static const struct {
		mode_t mode;
		bool taken;
	} rows[] = {{0444, true}, {0644, true}, {0400, true}, {0440, true}, {0604, true}, {0646, false}, {0666, false}, {0602, false}};
	char error[BUSCONF_ERROR_SIZE], out[1100], *password;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mode_t mode = 0;

		read_password("sesame\n", 7, 0600, out, error);
		assert_int_equal(chmod(file, rows[i].mode), 0);
		password = NULL;
		assert_int_equal(busconf_read_password(file, &mode, &password, error), rows[i].taken ? 0 : -1);
		if (rows[i].taken) {
			assert_int_equal(mode, rows[i].mode);
			assert_string_equal(password, "sesame");
			free(password);
		} else {
			assert_non_null(strstr(error, "others may change it"));
		}
	}
}

/* Opening a FIFO that nobody writes to must not hang a start-up. */
static void refuses_a_fifo_and_follows_links(void **state)
{
	char error[BUSCONF_ERROR_SIZE], link[100], out[1100], *password = NULL;

	(void)state;
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(busconf_read_password(file, NULL, &password, error), -1);
	assert_non_null(strstr(error, "regular file"));
	unlink(file);
	assert_int_equal(read_password("sesame\n", 7, 0600, out, error), 0);
	snprintf(link, sizeof(link), "%s/link", directory);
	assert_int_equal(symlink("password", link), 0);
	assert_int_equal(busconf_read_password(link, NULL, &password, error), 0);
	assert_string_equal(password, "sesame");
	free(password);
	unlink(link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_good_urls),
		cmocka_unit_test(refuses_bad_urls_without_telling_the_password),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(survives_every_cut_and_byte),
		cmocka_unit_test(sets_lists),
		cmocka_unit_test(sets_passwords_where_there_is_none),
		cmocka_unit_test(writes_endpoints_without_passwords),
		cmocka_unit_test_setup_teardown(reads_passwords, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(refuses_bad_password_files, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(takes_what_others_may_read_where_asked_to, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(refuses_a_fifo_and_follows_links, make_directory, remove_directory),
	};

	return cmocka_run_group_tests_name("busconf", tests, NULL, NULL);
}
