#include <config.h>

#include "ctl.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "model.h"
#include "shared/clock.h"
#include "shared/contract/hostname.h"

#define TIMEOUT_S 30
#define TIMEOUT_MAX_S 1000000

struct wait {
	char name[HOSTNAME_FQDN_SIZE];
	bool gone;
	int64_t timeout_ms;
	struct model *model;
	bool served; /* some instance has the name */
	char addresses[512];
};

static void parse_timeout(const struct ctl *ctl, const char *text, struct wait *wait)
{
	char *end;
	double seconds = strtod(text, &end);

	if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0' || *end != '\0' || !isfinite(seconds) || seconds > TIMEOUT_MAX_S)
		ctl_usage(ctl, "wait: --timeout takes seconds from 0 to %d", TIMEOUT_MAX_S);
	wait->timeout_ms = (int64_t)(seconds * 1000);
}

static void parse_name(const struct ctl *ctl, const char *text, struct wait *wait)
{
	size_t length = strlen(text);
	enum hostname_error error;

	if (length > 1 && text[length - 1] == '.')
		length--;
	error = hostname_fold_fqdn(text, length, wait->name);
	if (error != HOSTNAME_OK)
		ctl_usage(ctl, "wait: not a name: %s", hostname_error_text(error));
}

/* ---- is it so? ---- */

static bool look(void *arg, const struct model_row *row)
{
	struct wait *wait = arg;

	if (!model_row_serves(row, wait->name))
		return true;
	wait->served = true;
	snprintf(wait->addresses, sizeof wait->addresses, "%s", row->addresses);
	return false;
}

/* Whether the name is as wished, and dnsmasq has seen it so. */
static bool fulfilled(struct wait *wait)
{
	wait->served = false;
	model_each(wait->model, look, wait);
	return model_live(wait->model) && wait->served != wait->gone && model_served(wait->model) >= model_generation(wait->model);
}

static int conclude(const struct ctl *ctl, const struct wait *wait, bool yes)
{
	bool dns_behind = !yes && wait->served != wait->gone;

	if (ctl->json) {
		json_t *answer = json_pack("{s:s, s:b, s:b, s:b}", "name", wait->name, "fulfilled", yes, "served", wait->served,
		                           "waiting_for_dns", dns_behind);

		ctl_print_json(answer);
		json_decref(answer);
	} else if (yes) {
		printf("%s %s%s\n", wait->name, wait->gone ? "does not resolve" : "resolves to ", wait->gone ? "" : wait->addresses);
	} else {
		ctl_error("%s %s", wait->name,
		          dns_behind ? "is as wished, but dnsmasq has not taken it up: see callsignctl status" :
		          wait->gone ? "still resolves" : "does not resolve: see callsignctl why");
	}
	return yes ? CTL_YES : CTL_NO;
}

/* ---- waiting ---- */

/* Everything that is there. false: the daemon is gone. */
static bool drain(struct ctl_client *client, const struct ctl *ctl, struct wait *wait)
{
	enum ctl_line result;
	json_t *line;

	while ((result = ctl_client_poll(client, &line)) == CTL_LINE) {
		bool wrong = ctl_refused(ctl, line) || model_take(wait->model, line, clock_ms()) == -1;

		json_decref(line);
		if (wrong)
			return false;
	}
	return result == CTL_LINE_NONE;
}

static int wait_for(const struct ctl *ctl, struct ctl_client *client, struct wait *wait)
{
	struct pollfd fd = {.fd = ctl_client_fd(client), .events = POLLIN};
	int64_t until_ms = clock_ms() + wait->timeout_ms, first_ms = clock_ms() + CTL_ANSWER_MS;
	int64_t now_ms;

	for (;;) {
		if (!drain(client, ctl, wait))
			return CTL_NOT_RUNNING;
		if (fulfilled(wait))
			return conclude(ctl, wait, true);
		now_ms = clock_ms();
		/* Even --timeout 0 wants one whole list. */
		if (model_live(wait->model) ? now_ms >= until_ms : now_ms >= first_ms)
			return conclude(ctl, wait, false);
		if (poll(&fd, 1, clock_poll_timeout(now_ms, model_live(wait->model) ? until_ms : first_ms)) == -1 && errno != EINTR)
			return CTL_NO;
	}
}

int ctl_wait(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		CTL_OPTIONS, {"gone", no_argument, NULL, 'g'}, {"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
	};
	struct wait wait = {.timeout_ms = TIMEOUT_S * 1000};
	struct ctl_client *client;
	int option, code;

	while ((option = ctl_getopt(ctl, argc, argv, CTL_SHORT "gt:", options)) != -1) {
		if (option == 'g')
			wait.gone = true;
		else
			parse_timeout(ctl, optarg, &wait);
	}
	if (argc - optind != 1)
		ctl_usage(ctl, "wait: one name");
	parse_name(ctl, argv[optind], &wait);
	client = ctl_client_open(ctl, &code);
	if (client == NULL)
		return code;
	wait.model = model_new(NULL, NULL);
	if (wait.model == NULL || ctl_client_ask(client, json_pack("{s:s, s:s}", "op", "watch", "pattern", wait.name)) == -1)
		code = CTL_NOT_RUNNING;
	else
		code = wait_for(ctl, client, &wait);
	model_free(wait.model);
	ctl_client_close(client);
	return ctl_done(code);
}
