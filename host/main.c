#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "detach.h"
#include "loop.h"
#include "privileges.h"
#include "registry/table.h"
#include "shared/contract/ident.h"
#include "shared/footprint.h"
#include "shared/log.h"
#include "sinks/sections.h"
#include "status/carried.h"

#define DEFAULT_CONF "/etc/callsign/callsignd.conf"

struct arguments {
	const char *conf_path;
	bool foreground;
	bool check;
};

static const char usage[] = "usage: callsignd [-c FILE] [--foreground] [--check-config] [--version] [--help]\n"
			    "\n"
			    "  -c, --config FILE  read FILE instead of " DEFAULT_CONF "\n"
			    "  -f, --foreground   stay in the foreground and log to standard error\n"
			    "  -t, --check-config check the configuration, say what is wrong with it, and end\n"
			    "  -V, --version      print the version and end\n"
			    "  -h, --help         print this and end\n";

static void print_and_end(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		exit(DETACH_FAILED);
	exit(DETACH_OK);
}

static void usage_error(const char *what)
{
	if (what != NULL)
		fprintf(stderr, "callsignd: %s\n", what);
	fputs(usage, stderr);
	exit(DETACH_USAGE);
}

static struct arguments parse_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
		{"check-config", no_argument, NULL, 't'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct arguments arguments = {.conf_path = DEFAULT_CONF};
	int option;

	while ((option = getopt_long(argc, argv, "c:ftVh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments.conf_path = optarg;
			break;
		case 'f':
			arguments.foreground = true;
			break;
		case 't':
			arguments.check = true;
			break;
		case 'V':
			puts("callsignd " PACKAGE_VERSION);
			status_carried_print(stdout);
			print_and_end("");
			break;
		case 'h':
			print_and_end(usage);
			break;
		default: /* getopt_long has said what is wrong */
			usage_error(NULL);
		}
	}
	if (optind < argc)
		usage_error("there are no arguments besides options");
	return arguments;
}

/* The daemon works in "/", and a reload must find the same file. Kept until the end. */
static const char *absolute_path(const char *path)
{
	char *here, *absolute;

	if (path[0] == '/' || (here = getcwd(NULL, 0)) == NULL)
		return path;
	if (asprintf(&absolute, "%s/%s", here, path) < 0)
		absolute = NULL;
	free(here);
	return absolute != NULL ? absolute : path;
}

static void ready(void *arg)
{
	(void)arg;
	detach_ready();
}

/* What could be read as root must be readable to whom we have become, or every reload fails; said now, while somebody
 * looks. */
static void try_reading_again(const char *conf_path)
{
	struct conf *again = conf_load(conf_path, sinks_sections);

	if (again == NULL)
		log_warnx("the configuration was read as root, but this daemon's user cannot read it (see above): "
			  "reloads will be refused; "
			  "chgrp it and the files that it names to that user's group, and chmod g+r them");
	conf_free(again);
}

/* The pid file's name is copied: a reload frees the configuration that it came from. */
static int run(const struct arguments *arguments, struct conf *conf)
{
	const char *conf_path = absolute_path(arguments->conf_path);
	char *pid_file = strdup(conf->pid_file);
	int dropped = pid_file == NULL ? -1 : privileges_drop(conf);
	int code;

	if (dropped == 1)
		try_reading_again(conf_path);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the pid file's name is needed until the process ends */
	code = dropped == -1 ? DETACH_FAILED : detach_start(pid_file, arguments->foreground, conf->log_level);

	if (code != DETACH_CONTINUE) {
		conf_free(conf);
		return code;
	}
	code = loop_run(conf, conf_path, ready, NULL);
	detach_end(code);
	return code;
}

/* What tenants choose may not tell where in our tables it stands. */
static void seed_tables(void)
{
	struct ident random;
	uint64_t start, factor;

	if (ident_random(&random) == -1) {
		log_warn("no random numbers: tenants might choose names that make callsignd slow");
		return;
	}
	memcpy(&start, random.bytes, sizeof start);
	memcpy(&factor, random.bytes + sizeof start, sizeof factor);
	table_seed(start, factor);
}

int main(int argc, char **argv)
{
	struct arguments arguments = parse_arguments(argc, argv);
	struct conf *conf;

	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_INFO);
	footprint_begin();
	seed_tables();
	conf = conf_load(arguments.conf_path, sinks_sections);
	if (conf == NULL)
		return DETACH_USAGE;
	if (arguments.check) {
		printf("%s: no mistakes found\n", arguments.conf_path);
		conf_free(conf);
		return fflush(stdout) == EOF ? DETACH_FAILED : DETACH_OK;
	}
	return run(&arguments, conf);
}
