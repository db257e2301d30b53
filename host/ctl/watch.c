#include <config.h>

#include "watch.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "ctl.h"
#include "screen.h"
#include "shared/clock.h"

#define REDRAW_MS 100 /* not more often than that */
#define AGES_MS 1000  /* nor more seldom: ages grow */

struct watch {
	struct ctl *ctl;
	struct watch_options options;
	struct ctl_client *client;
	struct model *model;
	bool screen;
	bool changed;     /* since the last drawing */
	int64_t drawn_ms;
	bool end;
	int code;
};

/* ---- what comes from the daemon ---- */

static void event_line(void *arg, enum model_change change, const struct model_row *row, const char *why)
{
	struct watch *watch = arg;
	time_t now = time(NULL);
	struct tm parts;
	char text[32];

	watch->changed = true;
	if (watch->screen || watch->ctl->json || !watch_shows(&watch->options, row))
		return;
	if (gmtime_r(&now, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		text[0] = '\0';
	watch_print_event(stdout, change, row, why, text);
}

static void finish(struct watch *watch, int code)
{
	watch->end = true;
	watch->code = code;
}

static void take(struct watch *watch, const json_t *line)
{
	if (ctl_refused(watch->ctl, line)) {
		finish(watch, CTL_NO);
	} else if (model_take(watch->model, line, clock_ms()) == -1) {
		ctl_error("the daemon's words are not understood");
		finish(watch, CTL_NO);
	} else if (watch->ctl->json) {
		json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
		putchar('\n');
	}
	watch->changed = true;
}

static void drain(struct watch *watch)
{
	enum ctl_line result = CTL_LINE_NONE;
	json_t *line;

	while (!watch->end && (result = ctl_client_poll(watch->client, &line)) == CTL_LINE) {
		take(watch, line);
		json_decref(line);
	}
	if (result == CTL_LINE_END)
		finish(watch, CTL_NOT_RUNNING);
	/* Lines are of use at once, or not at all: to a pipe, too. */
	if (!watch->screen && (fflush(stdout) == EOF || ferror(stdout)))
		finish(watch, CTL_NO);
}

/* ---- what comes from the user ---- */

static void key(struct watch *watch)
{
	char letter;
	int i;

	switch (screen_key(&letter)) {
	case SCREEN_END:
		finish(watch, CTL_YES);
		return;
	case SCREEN_KEY:
		break;
	default:
		return;
	}
	if (letter == 'q')
		finish(watch, CTL_YES);
	for (i = 0; i < WATCH_SORTS; i++) {
		if (letter == watch_sort_name((enum watch_sort)i)[0])
			watch->options.sort = (enum watch_sort)i;
	}
	watch->changed = true;
	watch->drawn_ms = 0;
}

static void user(struct watch *watch, short signals, short keys)
{
	if (signals != 0) {
		switch (screen_signal()) {
		case SCREEN_END:
			finish(watch, CTL_YES);
			break;
		case SCREEN_RESIZED:
			watch->changed = true;
			watch->drawn_ms = 0;
			break;
		default:
			break;
		}
	}
	if (keys != 0 && !watch->end)
		key(watch);
}

/* ---- drawing ---- */

static int64_t draw_due_ms(const struct watch *watch)
{
	if (!watch->screen)
		return CLOCK_NEVER;
	/* The first list is shown whole. */
	if (!model_live(watch->model) && watch->drawn_ms != 0)
		return CLOCK_NEVER;
	return watch->drawn_ms + (watch->changed ? REDRAW_MS : AGES_MS);
}

static void draw(struct watch *watch, int64_t now_ms)
{
	unsigned columns, lines;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return;
	screen_size(&columns, &lines);
	watch_print_table(out, watch->model, &watch->options, columns, lines, now_ms, SCREEN_EOL);
	if (fclose(out) == 0)
		screen_draw(text, length);
	free(text);
	watch->drawn_ms = now_ms;
	watch->changed = false;
}

/* ---- the loop ---- */

static void run(struct watch *watch)
{
	struct pollfd fds[3] = {
		{.fd = ctl_client_fd(watch->client), .events = POLLIN},
		{.fd = watch->screen ? screen_signal_fd() : -1, .events = POLLIN},
		{.fd = watch->screen ? screen_key_fd() : -1, .events = POLLIN},
	};
	int64_t now_ms;

	while (!watch->end) {
		drain(watch);
		now_ms = clock_ms();
		if (now_ms >= draw_due_ms(watch))
			draw(watch, now_ms);
		if (watch->end)
			break;
		if (poll(fds, 3, clock_poll_timeout(now_ms, draw_due_ms(watch))) > 0)
			user(watch, fds[1].revents, fds[2].revents);
	}
}

static void parse_options(struct watch *watch, int argc, char **argv, const char **pattern)
{
	static const struct option options[] = {
		CTL_OPTIONS,
		{"filter", required_argument, NULL, 'f'},
		{"state", required_argument, NULL, 'S'},
		{"sort", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = ctl_getopt(watch->ctl, argc, argv, CTL_SHORT "f:S:o:", options)) != -1) {
		if (option == 'f')
			*pattern = optarg;
		else if (option == 'S')
			watch->options.states = optarg;
		else if (watch_sort_parse(optarg, &watch->options.sort) == -1)
			ctl_usage(watch->ctl, "watch: --sort takes name, age, state or changes");
	}
	if (watch->options.states != NULL && !watch_states_valid(watch->options.states))
		ctl_usage(watch->ctl, "watch: --state takes confirmed, unconfirmed, lost, waiting, forbidden, with commas between them");
	if (argc - optind > 1 || (argc - optind == 1 && *pattern != NULL))
		ctl_usage(watch->ctl, "watch: one pattern at most");
	if (optind < argc)
		*pattern = argv[optind];
}

int ctl_watch(struct ctl *ctl, int argc, char **argv)
{
	struct watch watch = {.ctl = ctl, .options.colour = ctl->colour};
	json_t *request = json_pack("{s:s}", "op", "watch");
	const char *pattern = NULL;

	parse_options(&watch, argc, argv, &pattern);
	if (pattern != NULL)
		json_object_set_new(request, "pattern", ctl_text(ctl, pattern));
	watch.client = ctl_client_open(ctl, &watch.code);
	if (watch.client == NULL) {
		json_decref(request);
		return watch.code;
	}
	watch.model = model_new(event_line, &watch);
	watch.screen = !ctl->json && ctl->width > 0;
	if (watch.model == NULL || ctl_client_ask(watch.client, request) == -1 || (watch.screen && screen_open() == -1))
		watch.code = CTL_NO;
	else
		run(&watch);
	screen_close();
	if (watch.screen && watch.code == CTL_NOT_RUNNING)
		ctl_error("callsignd has closed the connection"); /* what was said before went with the screen */
	model_free(watch.model);
	ctl_client_close(watch.client);
	return ctl_done(watch.code);
}
