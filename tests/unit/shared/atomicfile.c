#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/atomicfile.h"
#include "tests/unit/exact.h"

static char directory[64];
static char path[80];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/callsign-atomicfile.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/hosts", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* fails if a dot file was left behind */
}

static size_t count_entries(void)
{
	DIR *entries = opendir(directory);
	size_t count = 0;

	assert_non_null(entries);
	while (readdir(entries) != NULL)
		count++;
	closedir(entries);
	return count - 2; /* . and .. */
}

static void assert_content(const char *expected, size_t length)
{
	char *content = malloc(length + 1);
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_non_null(content);
	assert_int_equal(fread(content, 1, length + 1, file), length);
	assert_memory_equal(content, expected, length);
	fclose(file);
	free(content);
}

static void replaces(void **state)
{
	struct stat status;
	mode_t mask = umask(077); /* what a daemon may have been given: the mode must not follow it */

	(void)state;
	assert_int_equal(atomicfile_replace(path, 0644, "one\n", 4), 0);
	assert_content("one\n", 4);
	assert_int_equal(atomicfile_replace(path, 0644, "two, longer\n", 12), 0);
	assert_content("two, longer\n", 12);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(atomicfile_replace(path, 0600, "", 0), 0);
	assert_content("", 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(count_entries(), 1);
	umask(mask);
}

static void shows_nothing_before_the_commit(void **state)
{
	struct atomicfile *file;

	(void)state;
	assert_int_equal(atomicfile_replace(path, 0644, "old", 3), 0);
	file = atomicfile_open(path, 0644);
	assert_non_null(file);
	assert_int_equal(atomicfile_write(file, "new", 3), 0);
	assert_content("old", 3);
	assert_int_equal(count_entries(), 2);
	assert_int_equal(atomicfile_commit(file), 0);
	assert_content("new", 3);
	assert_int_equal(count_entries(), 1);
}

static void aborts(void **state)
{
	struct atomicfile *file;

	(void)state;
	assert_int_equal(atomicfile_replace(path, 0644, "old", 3), 0);
	file = atomicfile_open(path, 0644);
	assert_non_null(file);
	assert_int_equal(atomicfile_write(file, "new", 3), 0);
	errno = EPERM;
	atomicfile_abort(file);
	assert_int_equal(errno, EPERM);
	assert_content("old", 3);
	assert_int_equal(count_entries(), 1);
	atomicfile_abort(NULL);
}

/* Pieces of every size around the buffer's. */
static void keeps_the_order_of_pieces(void **state)
{
	static const size_t sizes[] = {1, 65535, 1, 65536, 65537, 0, 3, 200000, 65534, 2, 1};
	size_t total = 0, used = 0;
	struct atomicfile *file = atomicfile_open(path, 0644);
	char *content;

	(void)state;
	assert_non_null(file);
	for (size_t i = 0; i < COUNT(sizes); i++)
		total += sizes[i];
	content = malloc(total);
	assert_non_null(content);
	for (size_t i = 0; i < total; i++)
		content[i] = (char)(i % 251);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		assert_int_equal(atomicfile_write(file, content + used, sizes[i]), 0);
		used += sizes[i];
	}
	assert_int_equal(atomicfile_commit(file), 0);
	assert_content(content, total);
	free(content);
}

static void fails_where_it_cannot_write(void **state)
{
	char elsewhere[128], longest[400];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/missing/hosts", directory);
	errno = 0;
	assert_null(atomicfile_open(elsewhere, 0644));
	assert_int_equal(errno, ENOENT);
	snprintf(elsewhere, sizeof(elsewhere), "%s/", directory);
	assert_null(atomicfile_open(elsewhere, 0644));
	assert_int_equal(errno, EISDIR);
	assert_null(atomicfile_open("", 0644));
	assert_int_equal(errno, ENOENT);
	snprintf(longest, sizeof(longest), "%s/%0260d", directory, 0);
	assert_null(atomicfile_open(longest, 0644));
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(atomicfile_replace(longest, 0644, "a", 1), -1);
	assert_int_equal(count_entries(), 0);
}

static void fails_to_replace_a_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	errno = 0;
	assert_int_equal(atomicfile_replace(path, 0644, "a", 1), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(count_entries(), 1);
	rmdir(path);
}

/* A file size limit stands in for a full disk. */
static void set_size_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void keeps_the_old_file_when_the_disk_is_full(void **state)
{
	struct atomicfile *file;
	char *huge = calloc(1, 100000);
	int results[3], errors[3];

	(void)state;
	assert_non_null(huge);
	assert_int_equal(atomicfile_replace(path, 0644, "old", 3), 0);
	signal(SIGXFSZ, SIG_IGN);
	file = atomicfile_open(path, 0644);
	assert_non_null(file);
	set_size_limit(70000);
	results[0] = atomicfile_write(file, huge, 100000);
	errors[0] = errno;
	set_size_limit(RLIM_INFINITY);
	/* There is room again, but a part is missing: it stays failed, with the first reason. */
	errno = 0;
	results[1] = atomicfile_write(file, "a", 1);
	errors[1] = errno;
	errno = 0;
	results[2] = atomicfile_commit(file);
	errors[2] = errno;
	signal(SIGXFSZ, SIG_DFL);
	for (size_t i = 0; i < COUNT(results); i++) {
		assert_int_equal(results[i], -1);
		assert_int_equal(errors[i], EFBIG);
	}
	assert_content("old", 3);
	assert_int_equal(count_entries(), 1);
	free(huge);
}

static void notices_a_full_disk_at_the_commit(void **state)
{
	struct atomicfile *file = atomicfile_open(path, 0644);
	int result, error;

	(void)state;
	assert_non_null(file);
	assert_int_equal(atomicfile_write(file, "buffered", 8), 0);
	signal(SIGXFSZ, SIG_IGN);
	set_size_limit(4);
	result = atomicfile_commit(file);
	error = errno;
	set_size_limit(RLIM_INFINITY);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(result, -1);
	assert_int_equal(error, EFBIG);
	assert_int_equal(count_entries(), 0);
}

static void works_on_a_bare_name(void **state)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(here >= 0);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(atomicfile_replace("hosts", 0644, "bare", 4), 0);
	assert_int_equal(fchdir(here), 0);
	close(here);
	assert_content("bare", 4);
}

static void touch(const char *name)
{
	int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	close(folder);
}

/* Of path's own replacements, whole; not another file's, nor one that only looks a little like it. */
static void sweeps_what_was_ended_half_way(void **state)
{
	static const char *const others[] = {".hosts.toolong", ".hosts.old", ".host.aB3dE6", "hosts.aB3dE6"};
	int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	touch("hosts");
	touch(".hosts.aB3dE6");
	touch(".hosts.zzzzzz");
	for (size_t i = 0; i < COUNT(others); i++)
		touch(others[i]);
	atomicfile_sweep(path);
	assert_content("", 0);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_int_equal(unlinkat(folder, others[i], 0), 0);
	assert_int_equal(count_entries(), 1);
	close(folder);
	atomicfile_sweep("/nowhere/hosts");
}

static void sweeps_beside_a_bare_name(void **state)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	touch(".hosts.aB3dE6");
	assert_int_equal(chdir(directory), 0);
	atomicfile_sweep("hosts");
	assert_int_equal(fchdir(here), 0);
	close(here);
	assert_int_equal(count_entries(), 0);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(replaces),
		IN_DIRECTORY(shows_nothing_before_the_commit),
		IN_DIRECTORY(aborts),
		IN_DIRECTORY(keeps_the_order_of_pieces),
		IN_DIRECTORY(fails_where_it_cannot_write),
		IN_DIRECTORY(fails_to_replace_a_directory),
		IN_DIRECTORY(keeps_the_old_file_when_the_disk_is_full),
		IN_DIRECTORY(notices_a_full_disk_at_the_commit),
		IN_DIRECTORY(works_on_a_bare_name),
		IN_DIRECTORY(sweeps_what_was_ended_half_way),
		IN_DIRECTORY(sweeps_beside_a_bare_name),
	};

	return cmocka_run_group_tests_name("atomicfile", tests, NULL, NULL);
}
