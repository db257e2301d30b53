/* callsign-emit: announces a container's name. What it says: shared/contract/announcement.h; when: announcer.h; how it runs: run.h. */
#include <config.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "announce/conf.h"
#include "announce/settings.h"
#include "health.h"
#include "once.h"
#include "options.h"
#include "run.h"
#include "shared/bus/bus_carried.h"

#define EXIT_USAGE 2

/* The login's thread would get an arena of its own, and freed memory would stay ours: this process is to be forgotten, not fast. */
static void keep_small(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 16 * 1024);
	mallopt(M_TOP_PAD, 4 * 1024);
	/* librabbitmq asks for 64 kB and more where a few are used: on pages of their own, the rest is never there. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

static int unconfigured(const struct options *options)
{
	switch (options->mode) {
	case MODE_HEALTH:
		return health_ask("");
	case MODE_CHECK:
		puts("valid; not configured: no urls, so there is nothing to do");
		return 0;
	default:
		log_info("not configured: neither urls in %s nor CALLSIGN_URLS; nothing is announced%s",
		         options->conf_path != NULL ? options->conf_path : CONF_PATH, conf_environment_hint());
		return options->command != NULL ? run(&(struct conf){0}, "", options->command, 0) : 0;
	}
}

/* --port wins over what the file or the variable says of the same name. */
static int take_ports(struct conf *conf, const struct options *options)
{
	char error[256];
	unsigned i;

	for (i = 0; i < options->nports; i++) {
		if (conf_add_port(conf, options->ports[i], strlen(options->ports[i]), true, error, sizeof(error)) == -1) {
			log_errorx("--port: %s", error);
			return -1;
		}
	}
	return 0;
}

/* The older format has nobody who answers, no lease, and nothing that --once could remember. */
static int check_legacy(struct conf *conf, const struct options *options)
{
	conf->legacy |= options->legacy;
	if (!conf->legacy)
		return 0;
	if (options->wait_s != 0)
		log_errorx("--wait: in the older format (legacy) no host answers: leave one of the two out");
	else if (options->mode == MODE_ONCE_UP || options->mode == MODE_ONCE_DOWN)
		log_errorx("--once: there is none in the older format (legacy): leave one of the two out");
	else
		return 0;
	return -1;
}

/*
 * A name that cannot be announced is no reason to keep COMMAND from running: the hostname may be nobody's choice, and an image with an emitter in it
 * must not fail where one without would run. Only who asked for the name first (--wait), or for strictness, gets neither.
 */
static int nameless(const struct options *options, const char *why)
{
	if (options->mode == MODE_HEALTH)
		return health_ask("");
	if (options->command == NULL || options->strict) {
		log_errorx("%s", why);
		return EXIT_USAGE;
	}
	if (options->wait_s != 0) {
		log_errorx("%s; COMMAND, which was to wait for the name, is not started", why);
		return RUN_EXIT_WAIT_RAN_OUT;
	}
	log_warnx("%s; nothing is announced, COMMAND runs without a name (--strict refuses instead)", why);
	return run_nameless(why, options->command);
}

/* Engines mount secrets so; whoever did it by hand may have meant otherwise. */
static void note_open_secret(const struct conf *conf)
{
	if ((conf->secret_mode & S_IROTH) != 0)
		log_info("%s: every user of this container may read it (mode %04o), as engines mount secrets: taken", conf->password_file,
		         (unsigned)conf->secret_mode);
}

static int configured(struct conf *conf, const struct options *options)
{
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];

	if (check_legacy(conf, options) == -1 || take_ports(conf, options) == -1)
		return EXIT_USAGE;
	if (options->name != NULL)
		conf_set_name(conf, options->name);
	if (conf_choose_name(conf, name, why) == -1)
		return nameless(options, why);
	switch (options->mode) {
	case MODE_HEALTH:
		return health_ask(name);
	case MODE_CHECK:
		printf("valid; name=%s\n", name);
		return 0;
	case MODE_ONCE_UP:
	case MODE_ONCE_DOWN:
		return once(conf, name, options->mode == MODE_ONCE_UP, options->lease_s, options->state_path);
	default:
		note_open_secret(conf);
		return run(conf, name, options->command, options->wait_s);
	}
}

static int take_check_options(struct conf *conf, const struct options *options)
{
	int i;

	for (i = 0; i < OPTIONS_CHECKS; i++) {
		if (options->check[i] != NULL && conf_set_check(conf, options_check_keys[i], options->check[i]) == -1)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct conf conf;
	struct options options;
	int status = EXIT_USAGE;

	keep_small();
	log_open(&log_to_stderr, "callsign-emit", LOG_LEVEL_INFO);
	if (options_read(&options, argc, argv) == -1)
		return EXIT_USAGE;
	if (options.mode == MODE_HELP) {
		options_help();
		return 0;
	}
	if (options.mode == MODE_VERSION) {
		puts("callsign-emit " PACKAGE_VERSION);
		bus_carried_print(stdout);
		return 0;
	}
	if (conf_load(&conf, options.conf_path) == 0 && take_check_options(&conf, &options) == 0) {
		log_set_level(conf.log_level);
		status = conf.bus.nendpoints > 0 ? configured(&conf, &options) : unconfigured(&options);
	}
	conf_clear(&conf);
	return status;
}
