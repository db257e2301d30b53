#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/announce/credential.h"
#include "tests/unit/exact.h"

/* What there is, and what becomes of who wants to read it: 0, or errno. Everything else is not there. */
static struct {
	const char *path;
	int error;
} files[4];

int __wrap_access(const char *path, int mode); /* NOLINT(bugprone-reserved-identifier): ld's name for it */

int __wrap_access(const char *path, int mode) /* NOLINT(bugprone-reserved-identifier) */
{
	assert_int_equal(mode, R_OK);
	errno = ENOENT;
	for (size_t i = 0; i < COUNT(files); i++)
		if (files[i].path != NULL && strcmp(files[i].path, path) == 0)
			errno = files[i].error;
	return errno == 0 ? 0 : -1;
}

static char out[CREDENTIAL_PATH_SIZE];

static int clear(void **state)
{
	(void)state;
	memset(files, 0, sizeof files);
	memset(out, 'x', sizeof out);
	return setenv("CREDENTIALS_DIRECTORY", "/run/credentials/callsign-emit.service", 1);
}

/* ---- the copy ---- */

static void the_copy_of_what_may_not_be_read(void **state)
{
	(void)state;
	files[0].path = "/etc/callsign/emit.password";
	files[0].error = EACCES;
	files[1].path = "/run/credentials/callsign-emit.service/callsign_emit.password";
	assert_string_equal(credential_path(files[0].path, out), files[1].path);
}

static void the_copy_of_what_lies_in_a_folder_below(void **state)
{
	(void)state;
	files[0].path = "/etc/callsign/tls/own/key.pem";
	files[0].error = EACCES;
	files[1].path = "/run/credentials/callsign-emit.service/callsign_tls_own_key.pem";
	assert_string_equal(credential_path(files[0].path, out), files[1].path);
}

/* ---- the path itself ---- */

static void what_may_be_read_is_read(void **state)
{
	(void)state;
	files[0].path = "/etc/callsign/emit.password";
	files[1].path = "/run/credentials/callsign-emit.service/callsign_emit.password";
	assert_ptr_equal(credential_path(files[0].path, out), files[0].path);
}

/* An error then names the file that the configuration names, and not one that nobody knows. */
static void what_is_not_there_is_named_as_it_was_given(void **state)
{
	static const char path[] = "/etc/callsign/emit.password";

	(void)state;
	files[1].path = "/run/credentials/callsign-emit.service/callsign_emit.password";
	assert_ptr_equal(credential_path(path, out), path);
}

static void without_a_copy(void **state)
{
	(void)state;
	files[0].path = "/etc/callsign/emit.password";
	files[0].error = EACCES;
	assert_ptr_equal(credential_path(files[0].path, out), files[0].path);
	files[1].path = "/run/credentials/callsign-emit.service/callsign_emit.password";
	files[1].error = EACCES;
	assert_ptr_equal(credential_path(files[0].path, out), files[0].path);
}

static void beyond_the_folder(void **state)
{
	static const char *const paths[] = {"/etc/callsign.d/emit.password", "/etc/callsign", "/srv/etc/callsign/emit.password", "emit.password", ""};

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		files[0].path = paths[i];
		files[0].error = EACCES;
		files[1].path = "/run/credentials/callsign-emit.service/callsign_emit.password";
		assert_ptr_equal(credential_path(paths[i], out), paths[i]);
	}
}

static void where_nobody_hands_copies_over(void **state)
{
	(void)state;
	files[0].path = "/etc/callsign/emit.password";
	files[0].error = EACCES;
	files[1].path = "/callsign_emit.password";
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_ptr_equal(credential_path(files[0].path, out), files[0].path);
}

/* ---- lengths: FOLDER/callsign_NAME with its end is CREDENTIAL_PATH_SIZE bytes, or one more ---- */

static void as_long_as_it_may_be_and_no_longer(void **state)
{
	static const char folder[] = "/run/credentials/callsign-emit.service/callsign_";
	size_t fits = CREDENTIAL_PATH_SIZE - 1 - strlen(folder);

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		char path[sizeof CREDENTIAL_FOLDER + CREDENTIAL_PATH_SIZE] = CREDENTIAL_FOLDER, copy[2 * CREDENTIAL_PATH_SIZE];
		const char *found;

		memset(path + strlen(path), 'n', fits + extra);
		memcpy(copy, folder, sizeof folder);
		memset(copy + strlen(folder), 'n', fits + extra);
		copy[strlen(folder) + fits + extra] = '\0';
		files[0].path = path;
		files[0].error = EACCES;
		files[1].path = copy;
		found = credential_path(path, out);
		if (extra == 0)
			assert_string_equal(found, copy);
		else
			assert_ptr_equal(found, path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_copy_of_what_may_not_be_read, clear),
		cmocka_unit_test_setup(the_copy_of_what_lies_in_a_folder_below, clear),
		cmocka_unit_test_setup(what_may_be_read_is_read, clear),
		cmocka_unit_test_setup(what_is_not_there_is_named_as_it_was_given, clear),
		cmocka_unit_test_setup(without_a_copy, clear),
		cmocka_unit_test_setup(beyond_the_folder, clear),
		cmocka_unit_test_setup(where_nobody_hands_copies_over, clear),
		cmocka_unit_test_setup(as_long_as_it_may_be_and_no_longer, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
