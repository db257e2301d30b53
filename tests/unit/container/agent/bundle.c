/* What is known of a container without asking its engine: bundles, and runtimes' states. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/agent/bundle.h"
#include "container/agent/engines.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/exact.h"

static char folder[] = "/tmp/callsign-bundle.XXXXXX";
static char path[96];

static const char *in_folder(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void read_config(const char *text, struct bundle *bundle)
{
	put("config.json", text);
	assert_int_equal(bundle_read(folder, "c1", bundle), 0);
}

static void namespaces_that_are_its_own_and_that_are_not(void **state)
{
	struct bundle bundle;

	(void)state;
	read_config("{\"hostname\":\"web\",\"linux\":{\"namespaces\":[{\"type\":\"network\"},{\"type\":\"uts\"}]}}", &bundle);
	assert_string_equal(bundle.facts.hostname, "web");
	assert_true(bundle.facts.own_hostname);
	assert_false(bundle.facts.joins_network);
	bundle_clear(&bundle);
	read_config("{\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/proc/5/ns/net\"},1,null,{}]}}", &bundle);
	assert_false(bundle.facts.own_hostname);
	assert_true(bundle.facts.joins_network);
	bundle_clear(&bundle);
	read_config("{\"linux\":{\"namespaces\":\"network\"}}", &bundle);
	assert_false(bundle.facts.joins_network);
	bundle_clear(&bundle);
}

static void numbers_beyond_63_bits_do_not_matter(void **state)
{
	struct bundle bundle;

	(void)state;
	read_config("{\"hostname\":\"web\",\"linux\":{\"seccomp\":18446744073709551615,\"limit\":-99999999999999999999}}", &bundle);
	assert_string_equal(bundle.facts.hostname, "web");
	bundle_clear(&bundle);
}

static void read_mounted(const char *destination, const char *source, struct bundle *bundle)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"mounts\":[{\"destination\":\"/proc\"},{\"destination\":\"%s\",\"source\":\"%s%s\"}]}", destination, folder, source);
	read_config(text, bundle);
}

/* docker run --network container:OTHER mounts the other's /etc/hostname. */
static void labels_are_its_own(void **state)
{
	static const char *const destinations[] = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
	static const char *const sources[] = {"/docker/c1/hostname", "/docker/other/hostname"};
	struct bundle bundle;

	(void)state;
	mkdir(in_folder("docker"), 0700);
	mkdir(in_folder("docker/c1"), 0700);
	mkdir(in_folder("docker/other"), 0700);
	put("docker/c1/config.v2.json", "{\"ID\":\"c1\",\"Name\":\"/one\",\"Config\":{\"Labels\":{\"callsign\":\"off\"}}}");
	put("docker/other/config.v2.json", "{\"ID\":\"other\",\"Name\":\"/two\",\"Config\":{\"Labels\":{\"callsign.name\":\"bank\"}}}");
	for (size_t i = 0; i < COUNT(destinations) * COUNT(sources); i++) {
		read_mounted(destinations[i / COUNT(sources)], sources[i % COUNT(sources)], &bundle);
		assert_non_null(bundle.facts.container);
		assert_string_equal(bundle.facts.container, "one");
		assert_string_equal(json_string_value(json_object_get(bundle.facts.labels, "callsign")), "off");
		bundle_clear(&bundle);
	}
	put("docker/c1/config.v2.json", "{\"ID\":\"c2\",\"Name\":\"/one\"}");
	read_mounted("/etc/hostname", "/docker/c1/hostname", &bundle);
	assert_null(bundle.facts.container);
	bundle_clear(&bundle);
	read_config("{\"mounts\":[{\"destination\":\"/etc/hosts\",\"source\":\"/hosts\"},{\"destination\":\"/etc/hosts\",\"source\":\"x\"},"
	            "{\"destination\":\"/etc/hosts\",\"source\":\"/\"},{\"destination\":\"/etc/hosts\"}]}", &bundle);
	assert_null(bundle.facts.container);
	bundle_clear(&bundle);
}

/* Read by root: neither waited for, nor taken into memory. */
static void what_is_no_plain_file_of_a_reasonable_size_is_not_read(void **state)
{
	struct bundle bundle;

	(void)state;
	unlink(in_folder("config.json"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(bundle_read(folder, "c1", &bundle), -1);
	bundle_clear(&bundle);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(bundle_read(folder, "c1", &bundle), -1);
	bundle_clear(&bundle);
	unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(bundle_read(folder, "c1", &bundle), -1);
	bundle_clear(&bundle);
	unlink(path);
	put("real.json", "{}");
	assert_int_equal(symlink("real.json", in_folder("config.json")), 0);
	assert_int_equal(bundle_read(folder, "c1", &bundle), -1);
	bundle_clear(&bundle);
	unlink(path);
	unlink(in_folder("real.json"));
	put("config.json", "{}");
	assert_int_equal(truncate(in_folder("config.json"), ((off_t)16 << 20) + 1), 0);
	assert_int_equal(bundle_read(folder, "c1", &bundle), -1);
	bundle_clear(&bundle);
}

static char seen[64];

static void see(void *arg, const struct engines_container *container)
{
	(void)arg;
	snprintf(seen, sizeof(seen), "%s %ld %lu %s", container->id, (long)container->pid, (unsigned long)container->start, container->bundle);
}

/* runc has annotations among the labels, before its own. */
static void an_annotation_does_not_pass_for_the_bundle(void **state)
{
	char *const roots[] = {folder};

	(void)state;
	assert_true(mkdir(in_folder("c1"), 0700) == 0 || errno == EEXIST);
	put("c1/state.json", "{\"init_process_pid\":5,\"init_process_start\":7,\"config\":{\"labels\":[\"a=b\",\"bundle=/forged\",\"bundle=/real\"]}}");
	engines_each(roots, 1, see, NULL);
	assert_string_equal(seen, "c1 5 7 /real");
}

/* Without its labels, one that says "off" would have a name; and a runtime's folder that cannot be opened is not an empty one. */
static void what_cannot_be_read_for_want_of_descriptors_is_not_missing(void **state)
{
	char *const roots[] = {folder};
	struct rlimit before;
	struct bundle bundle;
	unsigned left = 0;
	int error;

	(void)state;
	put("docker/c1/config.v2.json", "{\"ID\":\"c1\",\"Name\":\"/one\",\"Config\":{\"Labels\":{\"callsign\":\"off\"}}}");
	unlink(in_folder("config.json"));
	read_mounted("/etc/hostname", "/docker/c1/hostname", &bundle);
	bundle_clear(&bundle);
	do {
		leave_descriptors(left++, &before);
		error = bundle_read(folder, "c1", &bundle) == 0 ? 0 : errno;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(error == 0 || error == EMFILE);
		assert_int_equal(error == 0, bundle.facts.container != NULL);
		bundle_clear(&bundle);
	} while (error != 0);
	assert_int_equal(left, 3); /* two are enough for any number of files */

	assert_true(mkdir(in_folder("c1"), 0700) == 0 || errno == EEXIST);
	put("c1/state.json", "{\"init_process_pid\":5,\"init_process_start\":7,\"config\":{\"labels\":[\"bundle=/real\"]}}");
	left = 0;
	do {
		seen[0] = '\0';
		leave_descriptors(left++, &before);
		error = engines_each(roots, 1, see, NULL) == 0 ? 0 : errno;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(error == 0 || error == EMFILE);
		assert_int_equal(error == 0, seen[0] != '\0');
	} while (error != 0);
	assert_int_equal(left, 4); /* three: the folder's, and two */
}

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const files[] = {"config.json", "c1/state.json", "c1", "docker/c1/config.v2.json", "docker/c1",
	                                   "docker/other/config.v2.json", "docker/other", "docker", ""};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++)
		remove(in_folder(files[i]));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespaces_that_are_its_own_and_that_are_not),
		cmocka_unit_test(numbers_beyond_63_bits_do_not_matter),
		cmocka_unit_test(labels_are_its_own),
		cmocka_unit_test(what_cannot_be_read_for_want_of_descriptors_is_not_missing),
		cmocka_unit_test(what_is_no_plain_file_of_a_reasonable_size_is_not_read),
		cmocka_unit_test(an_annotation_does_not_pass_for_the_bundle),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
