#include <config.h>

#include "runtimeargs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_MS 10000

/* Global options of runc's and crun's whose value is the next argument; all others carry it behind "=" or have none. */
static const char *const valued[] = {"--root", "--log", "--log-format", "--criu", "--rootless", "--cgroup-manager"};

static const char *value_of(const char *argument, const char *option)
{
	size_t length = strlen(option);

	return strncmp(argument, option, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static const char *check_timeout(const char *text)
{
	char *end;
	long ms = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || ms > TIMEOUT_MAX_MS)
		return "--callsign-timeout: not a number of milliseconds from 0 to 10000";
	return NULL;
}

static bool is_ours(const char *argument)
{
	return strncmp(argument, "--callsign-", strlen("--callsign-")) == 0;
}

static const char *read_ours(const char *argument, struct runtimeargs *out)
{
	const char *value;

	if ((value = value_of(argument, "--callsign-runtime")) != NULL && *value != '\0')
		out->runtime = value;
	else if ((value = value_of(argument, "--callsign-hook")) != NULL && *value == '/')
		out->hook = value;
	else if ((value = value_of(argument, "--callsign-timeout")) != NULL)
		out->timeout = value;
	else
		return "only --callsign-runtime=NAME, --callsign-hook=/PATH and --callsign-timeout=MS are known";
	return out->timeout == value ? check_timeout(value) : NULL;
}

static bool takes_next(const char *option)
{
	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++) {
		if (strcmp(option, valued[i]) == 0)
			return true;
	}
	return false;
}

static int find_command(int argc, const char *const argv[], int i)
{
	while (i < argc && argv[i][0] == '-')
		i += takes_next(argv[i]) ? 2 : 1;
	return i;
}

/* A container that comes back from a checkpoint has its hooks run, too. */
static bool makes_container(const char *command)
{
	return strcmp(command, "create") == 0 || strcmp(command, "run") == 0 || strcmp(command, "restore") == 0;
}

/* Go's flags have one dash or two. */
static const char *bundle_of(const char *argument, const char *next)
{
	static const char *const names[] = {"--bundle", "-bundle", "-b", "--b"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (next != NULL && strcmp(argument, names[i]) == 0)
			return next;
		if (value_of(argument, names[i]) != NULL)
			return value_of(argument, names[i]);
	}
	return NULL;
}

static void find_bundle(int argc, const char *const argv[], int command, struct runtimeargs *out)
{
	out->bundle = ".";
	for (int i = command + 1; i < argc && argv[i] != NULL && strcmp(argv[i], "--") != 0; i++) {
		const char *bundle = bundle_of(argv[i], argv[i + 1]);

		if (bundle != NULL)
			out->bundle = bundle;
	}
}

int runtimeargs_read(int argc, const char *const argv[], struct runtimeargs *out, const char **error)
{
	int command;

	memset(out, 0, sizeof(*out));
	*error = NULL;
	out->first = 1;
	while (out->first < argc && is_ours(argv[out->first])) {
		*error = read_ours(argv[out->first++], out);
		if (*error != NULL)
			return -1;
	}
	command = find_command(argc, argv, out->first);
	out->creates = command < argc && makes_container(argv[command]);
	if (out->creates)
		find_bundle(argc, argv, command, out);
	return 0;
}
