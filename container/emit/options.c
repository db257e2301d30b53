#include <config.h>

#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/contract/announcement.h"

const char *const options_check_keys[OPTIONS_CHECKS] = {"command", "tcp", "http", "interval", "timeout", "rise", "fall"};

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "callsign-emit: %s%s; see callsign-emit --help\n", what, value != NULL ? value : "");
	return -1;
}

void options_help(void)
{
	puts("usage: callsign-emit [-c FILE] [--port NAME=NUMBER ...] [--legacy] [--strict] [--wait[=SECONDS]] [-- COMMAND [ARGUMENT ...]]\n"
	     "       callsign-emit [-c FILE] [--port NAME=NUMBER ...] --once up|down [--lease SECONDS] [--state FILE]\n"
	     "       callsign-emit [-c FILE] --check-config | --healthcheck\n"
	     "\n"
	     "Announces this container's name and addresses to the hosts, and withdraws them at its end.\n"
	     "\n"
	     "  -c, --config FILE   configuration (default /etc/callsign/emit.conf)\n"
	     "      --name NAME     what to announce; with variables, as {hostname}.{service}, filled from the environment\n"
	     "      --port NAME=NUMBER  announce where a service listens, as http=8080; may be repeated\n"
	     "      --legacy        speak the older wire format of Network Scripts instead (see docs/legacy.md)\n"
	     "      --strict        exit with 2 if the name cannot be announced; else COMMAND runs without one\n"
	     "      --wait[=SECONDS]  start COMMAND only when a host says that the name resolves (default 30 s)\n"
	     "      --check-tcp PORT, --check-http URL, --check-command COMMAND\n"
	     "                      announce only while this passes; --check-interval, --check-timeout (seconds),\n"
	     "                      --check-rise, --check-fall (how often in a row): see check in emit.conf(5)\n"
	     "      --once up|down  announce or withdraw, and end: for hook scripts\n"
	     "      --lease SECONDS how long --once up is good for (5 to 86400, default 86400)\n"
	     "      --state FILE    what --once remembers (default /run/callsign/once-NAME)\n"
	     "      --check-config  say whether the configuration is valid\n"
	     "      --healthcheck   ask the running emitter whether it is announced: exit 0 or 1\n"
	     "      --help, --version\n"
	     "\n"
	     "Exit: 0; 2 usage or configuration; 69 broker out of reach (--once); 75 --wait ran out; 126, 127 COMMAND\n"
	     "not runnable, not found; else COMMAND's own. See callsign-emit(1) and emit.conf(5).");
}

static int number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t value = 0;
	const char *digit;

	if (text[0] == '\0' || strlen(text) > 9)
		return -1;
	for (digit = text; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return -1;
		value = value * 10 + (uint32_t)(*digit - '0');
	}
	if (value < min || value > max)
		return -1;
	*out = value;
	return 0;
}

static int set_mode(struct options *options, enum options_mode mode)
{
	if (options->mode != MODE_RUN)
		return wrong("--once, --check-config, --healthcheck, --help and --version exclude each other", NULL);
	options->mode = mode;
	return 0;
}

static int set_once(struct options *options, const char *what)
{
	if (strcmp(what, "up") == 0)
		return set_mode(options, MODE_ONCE_UP);
	if (strcmp(what, "down") == 0)
		return set_mode(options, MODE_ONCE_DOWN);
	return wrong("--once takes up or down, not ", what);
}

static int set_option(struct options *options, int option, const char *value)
{
	if (option < OPTIONS_CHECKS && option >= 0) {
		options->check[option] = value;
		return 0;
	}
	switch (option) {
	case 'c':
		options->conf_path = value;
		return 0;
	case 'n':
		options->name = value;
		return 0;
	case 'p':
		if (options->nports == ANNOUNCEMENT_PORTS_MAX)
			return wrong("--port may be given 16 times, not also with ", value);
		options->ports[options->nports++] = value;
		return 0;
	case 'L':
		options->legacy = true;
		return 0;
	case 'S':
		options->strict = true;
		return 0;
	case 'w':
		options->wait_s = OPTIONS_WAIT_S;
		if (value != NULL && number(value, 1, OPTIONS_WAIT_MAX_S, &options->wait_s) == -1)
			return wrong("--wait takes 1 to 86400 seconds, not ", value);
		return 0;
	case 'o':
		return set_once(options, value);
	case 'l':
		if (number(value, ANNOUNCEMENT_LEASE_MIN_S, ANNOUNCEMENT_LEASE_MAX_S, &options->lease_s) == -1)
			return wrong("--lease takes 5 to 86400 seconds, not ", value);
		return 0;
	case 's':
		options->state_path = value;
		return 0;
	case 'k':
		return set_mode(options, MODE_CHECK);
	case 'H':
		return set_mode(options, MODE_HEALTH);
	case 'h':
		return set_mode(options, MODE_HELP);
	case 'V':
		return set_mode(options, MODE_VERSION);
	default: /* getopt has said what */
		return -1;
	}
}

static int check(const struct options *options)
{
	bool once = options->mode == MODE_ONCE_UP || options->mode == MODE_ONCE_DOWN;

	if (options->command != NULL && options->mode != MODE_RUN)
		return wrong("COMMAND goes with no option but -c, --name, --port, --check-KEY, --legacy, --strict and --wait: ", options->command[0]);
	if (options->wait_s != 0 && options->command == NULL)
		return wrong("--wait needs a COMMAND", NULL);
	if ((options->check[OPTIONS_CHECK_COMMAND] != NULL) + (options->check[OPTIONS_CHECK_TCP] != NULL) +
	    (options->check[OPTIONS_CHECK_HTTP] != NULL) > 1)
		return wrong("--check-command, --check-tcp and --check-http exclude each other", NULL);
	if (!once && options->state_path != NULL)
		return wrong("--state goes with --once only", NULL);
	if (options->mode != MODE_ONCE_UP && options->lease_s != 0)
		return wrong("--lease goes with --once up only", NULL);
	return 0;
}

int options_read(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'}, {"wait", optional_argument, NULL, 'w'},
		{"once", required_argument, NULL, 'o'},   {"lease", required_argument, NULL, 'l'},
		{"state", required_argument, NULL, 's'},  {"check-config", no_argument, NULL, 'k'},
		{"healthcheck", no_argument, NULL, 'H'},  {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {"port", required_argument, NULL, 'p'},
		{"legacy", no_argument, NULL, 'L'},
		{"strict", no_argument, NULL, 'S'},
		{"name", required_argument, NULL, 'n'},
		{"check-command", required_argument, NULL, OPTIONS_CHECK_COMMAND},
		{"check-tcp", required_argument, NULL, OPTIONS_CHECK_TCP},
		{"check-http", required_argument, NULL, OPTIONS_CHECK_HTTP},
		{"check-interval", required_argument, NULL, OPTIONS_CHECK_INTERVAL},
		{"check-timeout", required_argument, NULL, OPTIONS_CHECK_TIMEOUT},
		{"check-rise", required_argument, NULL, OPTIONS_CHECK_RISE},
		{"check-fall", required_argument, NULL, OPTIONS_CHECK_FALL},
		{NULL, 0, NULL, 0},
	};
	int option;

	memset(options, 0, sizeof(*options));
	/* "+": COMMAND's own options are none of ours. */
	while ((option = getopt_long(argc, argv, "+c:", table, NULL)) != -1) {
		if (set_option(options, option, optarg) == -1)
			return -1;
	}
	if (optind < argc)
		options->command = argv + optind;
	if (check(options) == -1)
		return -1;
	if (options->lease_s == 0)
		options->lease_s = ANNOUNCEMENT_LEASE_MAX_S;
	return 0;
}
