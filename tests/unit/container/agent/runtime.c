/* What callsign-runtime makes of its arguments, and of a bundle's config.json as engines write it. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "container/agent/hooksedit.h"
#include "container/agent/runtimeargs.h"
#include "tests/unit/exact.h"

#define HOOK "/usr/libexec/callsign-hook"
#define ENTRY(phase) "{\"path\":\"" HOOK "\",\"args\":[\"callsign-hook\",\"" phase "\"]}"
#define ADDED "\"createRuntime\":[" ENTRY("createRuntime") "],\"poststop\":[" ENTRY("poststop") "]"

/* ---- config.json ---- */

static enum hooksedit_result edit(const char *text, const char *timeout, char **out)
{
	char *copy = exact_copy(text, strlen(text)), *made = NULL;
	const char *why;
	size_t length;
	enum hooksedit_result result = hooksedit_add(copy, strlen(text), HOOK, timeout, &made, &length, &why);

	assert_int_equal(result == HOOKSEDIT_UNKNOWN, why != NULL);
	*out = result == HOOKSEDIT_ADDED ? strndup(made, length) : NULL;
	free(made);
	free(copy);
	return result;
}

static void expect_edit(const char *text, const char *expected)
{
	char *out, *again;

	assert_int_equal(edit(text, NULL, &out), HOOKSEDIT_ADDED);
	assert_string_equal(out, expected);
	assert_int_equal(edit(out, NULL, &again), HOOKSEDIT_THERE);
	free(out);
}

static void adds_hooks_where_there_are_none(void **state)
{
	(void)state;
	expect_edit("{}", "{\"hooks\":{" ADDED "}}");
	expect_edit("{\"a\":1}\n", "{\"a\":1,\"hooks\":{" ADDED "}}\n");
	expect_edit("{\"hooks\":null,\"a\":1}", "{\"hooks\":{" ADDED "},\"a\":1}");
	expect_edit("{\"hooks\":{}}", "{\"hooks\":{" ADDED "}}");
	expect_edit("{ \"hooks\" : { } , \"a\" : 1 }", "{ \"hooks\" : { " ADDED "} , \"a\" : 1 }");
}

static void stands_behind_the_hooks_of_others(void **state)
{
	(void)state;
	expect_edit("{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}}", "{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]," ADDED "}}");
	expect_edit("{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}]}}",
	            "{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}," ENTRY("createRuntime") "],\"poststop\":[" ENTRY("poststop") "]}}");
	expect_edit("{\"hooks\":{\"poststop\":[],\"createRuntime\":null}}",
	            "{\"hooks\":{\"poststop\":[" ENTRY("poststop") "],\"createRuntime\":[" ENTRY("createRuntime") "]}}");
	expect_edit("{\"hooks\":{\"poststop\":[ {\"path\":\"/x\"} ]}}",
	            "{\"hooks\":{\"poststop\":[ {\"path\":\"/x\"} ," ENTRY("poststop") "],\"createRuntime\":[" ENTRY("createRuntime") "]}}");
}

static void says_the_timeout(void **state)
{
	char *out;

	(void)state;
	assert_int_equal(edit("{}", "50", &out), HOOKSEDIT_ADDED);
	assert_non_null(strstr(out, "\"createRuntime\",\"50\"]"));
	free(out);
}

static void leaves_alone_what_it_does_not_understand(void **state)
{
	static const char *const texts[] = {
		"", "[]", "null", "{", "{}x", "{\"hooks\":1}", "{\"hooks\":[]}", "{\"hooks\":{},\"hooks\":{}}", "{\"hooks\":{\"createRuntime\":{}}}",
		"{\"hooks\":{\"createRuntime\":[],\"createRuntime\":[]}}", "{\"hooks\":{\"poststop\":\"x\"}}", "{\"a\":01}",
		"{\"h\\u006foks\":{}}", "{\"hooks\":{},\"hook\\u0073\":{}}", "{\"Hooks\":{}}", "{\"hooks\":{},\"HOOKS\":{}}",
		"{\"hooks\":{\"createruntime\":[]}}", "{\"hooks\":{\"post\\u0073top\":[]}}",
	};
	char *out;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(edit(texts[i], NULL, &out), HOOKSEDIT_UNKNOWN);
}

static void goes_by_no_odd_path(void **state)
{
	char long_path[2048], *made;
	const char *why;
	size_t length;

	(void)state;
	assert_int_equal(hooksedit_add("{}", 2, "/a\"b", NULL, &made, &length, &why), HOOKSEDIT_UNKNOWN);
	assert_int_equal(hooksedit_add("{}", 2, "/a\\b", NULL, &made, &length, &why), HOOKSEDIT_UNKNOWN);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(hooksedit_add("{}", 2, long_path, NULL, &made, &length, &why), HOOKSEDIT_UNKNOWN);
}

static char *read_sample(const char *name)
{
	const char *top = getenv("srcdir");
	char path[512];
	char *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/container/agent/bundles/%s", top != NULL ? top : ".", name);
	file = fopen(path, "re");
	if (file == NULL)
		fail_msg("%s is missing", path);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* By another reader than ours: but for two entries it is the same object. */
static void check_sample(const char *name)
{
	char *text = read_sample(name), *changed;
	json_t *before, *after, *hooks, *list;
	static const char *const phases[] = {"createRuntime", "poststop"};

	assert_int_equal(edit(text, NULL, &changed), HOOKSEDIT_ADDED);
	before = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	after = json_loads(changed, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(before);
	assert_non_null(after);
	hooks = json_object_get(after, "hooks");
	for (size_t i = 0; i < COUNT(phases); i++) {
		list = json_object_get(hooks, phases[i]);
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, json_array_size(list) - 1), "path")), HOOK);
		json_array_remove(list, json_array_size(list) - 1);
		if (json_array_size(list) == 0 && json_object_get(json_object_get(before, "hooks"), phases[i]) == NULL)
			json_object_del(hooks, phases[i]);
	}
	if (json_object_size(hooks) == 0 && json_object_get(before, "hooks") == NULL)
		json_object_del(after, "hooks");
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	free(changed);
	free(text);
}

static void changes_nothing_else_in_what_engines_write(void **state)
{
	(void)state;
	check_sample("docker-20.10.json");
	check_sample("docker-26.1.json");
	check_sample("docker-28.5.json");
	check_sample("podman-4.3.json");
	check_sample("podman-5.4.json");
}

static void every_cut_of_a_real_one_is_left_alone(void **state)
{
	char *text = read_sample("docker-20.10.json"), *made;
	size_t whole = strlen(text), length;
	const char *why;

	(void)state;
	while (whole > 0 && text[whole - 1] == '\n')
		whole--;
	for (size_t cut = 0; cut < whole; cut++) {
		char *copy = exact_copy(text, cut);

		assert_int_equal(hooksedit_add(copy, cut, HOOK, NULL, &made, &length, &why), HOOKSEDIT_UNKNOWN);
		free(copy);
	}
	free(text);
}

/* ---- arguments ---- */

#define ARGS(...) (const char *[]){"callsign-runtime", __VA_ARGS__, NULL}, (int)(sizeof((const char *[]){"", __VA_ARGS__}) / sizeof(char *))

static struct runtimeargs read_args(const char *const argv[], int argc)
{
	struct runtimeargs args;
	const char *error;

	assert_int_equal(runtimeargs_read(argc, argv, &args, &error), 0);
	return args;
}

/* As containerd's shim calls it: 1.6 (Docker 20.10), 1.7 and 2; conmon; by hand. */
static void finds_the_bundle_as_engines_name_it(void **state)
{
	struct runtimeargs args;

	(void)state;
	args = read_args(ARGS("--root", "/run/docker/runtime-runc/moby", "--log", "/run/log.json", "--log-format", "json", "create", "--bundle", "/run/b",
	                      "--pid-file", "/run/b/init.pid", "c1"));
	assert_true(args.creates);
	assert_string_equal(args.bundle, "/run/b");
	assert_int_equal(args.first, 1);
	args = read_args(ARGS("--root=/r", "--systemd-cgroup", "--debug", "run", "--bundle=/c", "c1"));
	assert_true(args.creates);
	assert_string_equal(args.bundle, "/c");
	args = read_args(ARGS("--log-format", "create", "start", "--bundle", "/x"));
	assert_false(args.creates);
	args = read_args(ARGS("--root=/r", "restore", "--detach", "--image-path", "/i", "--work-path=/w", "--bundle", "/c", "c1"));
	assert_true(args.creates);
	assert_string_equal(args.bundle, "/c");
	args = read_args(ARGS("create", "-b", "/d", "c1"));
	assert_string_equal(args.bundle, "/d");
	args = read_args(ARGS("create", "c1"));
	assert_string_equal(args.bundle, ".");
	args = read_args(ARGS("create", "--", "--bundle=/no"));
	assert_string_equal(args.bundle, ".");
	args = read_args(ARGS("create", "--bundle"));
	assert_true(args.bundle == NULL || strcmp(args.bundle, ".") == 0);
}

static void looks_at_nothing_but_new_containers(void **state)
{
	static const char *const commands[] = {"start", "state", "kill", "delete", "exec", "ps", "update", "features", "spec"};

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++)
		assert_false(read_args(ARGS("--root", "/r", commands[i], "create")).creates);
	assert_false(read_args((const char *[]){"callsign-runtime", NULL}, 1).creates);
}

static void keeps_its_own_arguments_from_the_real_one(void **state)
{
	struct runtimeargs args = read_args(ARGS("--callsign-runtime=crun", "--callsign-hook=/h", "--callsign-timeout=50", "--root", "/r", "create", "c1"));

	(void)state;
	assert_string_equal(args.runtime, "crun");
	assert_string_equal(args.hook, "/h");
	assert_string_equal(args.timeout, "50");
	assert_int_equal(args.first, 4);
	assert_true(args.creates);
}

static void names_an_argument_of_its_own_that_is_wrong(void **state)
{
	static const char *const wrong[] = {"--callsign-runtime=", "--callsign-runtime", "--callsign-hook=h", "--callsign-timeout=", "--callsign-timeout=-1",
	                        "--callsign-timeout=1s", "--callsign-timeout=99999", "--callsign-else=1"};
	struct runtimeargs args;
	const char *error;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(runtimeargs_read(3, (const char *[]){"callsign-runtime", wrong[i], "create", NULL}, &args, &error), -1);
		assert_non_null(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_hooks_where_there_are_none),
		cmocka_unit_test(stands_behind_the_hooks_of_others),
		cmocka_unit_test(says_the_timeout),
		cmocka_unit_test(leaves_alone_what_it_does_not_understand),
		cmocka_unit_test(goes_by_no_odd_path),
		cmocka_unit_test(changes_nothing_else_in_what_engines_write),
		cmocka_unit_test(every_cut_of_a_real_one_is_left_alone),
		cmocka_unit_test(finds_the_bundle_as_engines_name_it),
		cmocka_unit_test(looks_at_nothing_but_new_containers),
		cmocka_unit_test(keeps_its_own_arguments_from_the_real_one),
		cmocka_unit_test(names_an_argument_of_its_own_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
