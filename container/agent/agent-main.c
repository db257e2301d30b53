/* callsign-agent: names for containers that carry nothing. How it hears of them: door.h; what it says: chorus.h; when: announce/announcer.h. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <libdaemon/dfork.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "door.h"
#include "hookwire.h"
#include "process.h"
#include "shared/footprint.h"
#include "shared/log_syslog.h"

#define EXIT_USAGE 2
#define READY_S 60

static const char usage[] = "usage: callsign-agent [-c FILE] [--foreground] [--check-config]\n"
			    "       callsign-agent --adopt PID [--name NAME]\n"
			    "       callsign-agent --list\n"
			    "\n"
			    "  -c, --config FILE  read FILE instead of " AGENTCONF_PATH "\n"
			    "  -f, --foreground   stay in the foreground and log to standard error\n"
			    "  -t, --check-config check the configuration, say what is wrong with it, and end\n"
			    "  -a, --adopt PID    have the running agent name the container whose process 1 is PID\n"
			    "  -n, --name NAME    call it so, whatever else is known of it\n"
			    "  -l, --list         print what the running agent has named: name, address, pid, container, how it stands\n"
			    "  -V, --version      print the version and end\n"
			    "  -h, --help         print this and end\n";

struct arguments {
	const char *conf_path, *name;
	long adopt;
	bool foreground, check, list;
};

static bool read_pid(const char *text, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0 && *out > 1;
}

/* -1: go on; else the exit code. */
static int take_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 'c':
		arguments->conf_path = optarg;
		return -1;
	case 'f':
		arguments->foreground = true;
		return -1;
	case 't':
		arguments->check = true;
		return -1;
	case 'l':
		arguments->list = true;
		return -1;
	case 'n':
		arguments->name = optarg;
		return -1;
	case 'a':
		if (read_pid(optarg, &arguments->adopt))
			return -1;
		fprintf(stderr, "callsign-agent: --adopt: %s is no process's number\n", optarg);
		return EXIT_USAGE;
	case 'V':
		puts("callsign-agent " PACKAGE_VERSION);
		return 0;
	case 'h':
		fputs(usage, stdout);
		return 0;
	default:
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'}, {"check-config", no_argument, NULL, 't'},
		{"adopt", required_argument, NULL, 'a'},  {"name", required_argument, NULL, 'n'}, {"list", no_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},      {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
	};
	int option, code;

	while ((option = getopt_long(argc, argv, "c:fta:n:lVh", options, NULL)) != -1) {
		code = take_option(arguments, option);
		if (code != -1)
			return code;
	}
	if (optind == argc && (arguments->name == NULL || arguments->adopt != 0))
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

/* ---- the running agent is asked ---- */

static int ask(char kind, const char *text, int pidfd)
{
	static char answer[DOOR_ANSWER_SIZE];
	int length = door_ask(HOOKWIRE_SOCKET, kind, text, pidfd, answer);

	if (length == -1) {
		fprintf(stderr, "callsign-agent: %s: %s: does the agent run, and are you root?\n", HOOKWIRE_SOCKET, strerror(errno));
		return EXIT_FAILURE;
	}
	if (answer[0] != '+') {
		fprintf(stderr, "callsign-agent: %s\n", answer + 1);
		return EXIT_FAILURE;
	}
	fputs(answer + 1, stdout);
	if (kind == HOOKWIRE_ADOPT)
		putchar('\n');
	return fflush(stdout) == EOF ? EXIT_FAILURE : 0;
}

static int adopt(const struct arguments *arguments)
{
	int pidfd = process_open((pid_t)arguments->adopt), code;
	json_t *wish = arguments->name != NULL ? json_pack("{s:I, s:s}", "pid", (json_int_t)arguments->adopt, "name", arguments->name)
	                                       : json_pack("{s:I}", "pid", (json_int_t)arguments->adopt);
	char *text = wish != NULL ? json_dumps(wish, JSON_COMPACT) : NULL;

	json_decref(wish);
	if (pidfd == -1 || text == NULL) {
		fprintf(stderr, "callsign-agent: --adopt %ld: %s\n", arguments->adopt, text == NULL ? "not UTF-8" : strerror(errno));
		free(text);
		return EXIT_FAILURE;
	}
	code = ask(HOOKWIRE_ADOPT, text, pidfd);
	free(text);
	close(pidfd);
	return code;
}

/* ---- the daemon ---- */

static bool waited_for;

static void ready(void)
{
	if (waited_for)
		daemon_retval_send(0);
	waited_for = false;
}

/* The configuration is read by now, so nothing of it can be wrong any more; what can still fail is in the log, and told by the code. */
static int detach(void)
{
	pid_t pid;

	if (daemon_retval_init() == -1 || (pid = daemon_fork()) == -1) {
		fprintf(stderr, "callsign-agent: cannot fork: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (pid > 0) {
		int code = daemon_retval_wait(READY_S);

		if (code != 0)
			fputs("callsign-agent: it did not start: see the system's log\n", stderr);
		return code == 0 ? 0 : EXIT_FAILURE;
	}
	waited_for = true;
	return -1;
}

static int run(const struct arguments *arguments)
{
	struct agentconf *conf = agentconf_load(arguments->conf_path);
	char *path = realpath(arguments->conf_path, NULL);
	int code;

	if (conf == NULL || path == NULL)
		return EXIT_USAGE;
	if (arguments->check) {
		printf("%s: no mistakes found\n", arguments->conf_path);
		agentconf_free(conf);
		free(path);
		return fflush(stdout) == EOF ? EXIT_FAILURE : 0;
	}
	code = arguments->foreground ? -1 : detach();
	if (code != -1) {
		agentconf_free(conf);
		free(path);
		return code;
	}
	umask(022);
	log_open(arguments->foreground ? &log_to_stderr : &log_to_syslog, "callsign-agent", conf->log_level);
	footprint_begin();
	code = agent_run(conf, path, ready);
	if (waited_for)
		daemon_retval_send(EXIT_FAILURE);
	free(path);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.conf_path = AGENTCONF_PATH};
	int code;

	log_open(&log_to_stderr, "callsign-agent", LOG_LEVEL_INFO);
	code = read_arguments(argc, argv, &arguments);
	if (code != -1)
		return code;
	if (arguments.list)
		return ask(HOOKWIRE_LIST, "", -1);
	return arguments.adopt != 0 ? adopt(&arguments) : run(&arguments);
}
