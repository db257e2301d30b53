/* callsign-emit: announces a container's name. What it says: shared/announcement.h; when: announcer.h; how it runs: run.h. */
#include <config.h>

#include <malloc.h>
#include <stdio.h>

#include "conf.h"
#include "health.h"
#include "once.h"
#include "options.h"
#include "run.h"

#define EXIT_USAGE 2

/* The login's thread would get an arena of its own, and freed memory would stay ours: this process is to be forgotten, not fast. */
static void keep_small(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 16 * 1024);
	mallopt(M_TOP_PAD, 4 * 1024);
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
		log_info("not configured: neither urls in %s nor CALLSIGN_URLS; nothing is announced",
		         options->conf_path != NULL ? options->conf_path : CONF_PATH);
		return options->command != NULL ? run(&(struct conf){0}, "", options->command, 0) : 0;
	}
}

static int configured(struct conf *conf, const struct options *options)
{
	char name[HOSTNAME_NAME_SIZE];

	if (conf_choose_name(conf, name) == -1)
		return EXIT_USAGE;
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
		return run(conf, name, options->command, options->wait_s);
	}
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
		return 0;
	}
	if (conf_load(&conf, options.conf_path) == 0) {
		log_set_level(conf.log_level);
		status = conf.bus.nendpoints > 0 ? configured(&conf, &options) : unconfigured(&options);
	}
	conf_clear(&conf);
	return status;
}
