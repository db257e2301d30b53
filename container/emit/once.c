#include <config.h>

#include "once.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "announce/addrwatch.h"
#include "oncestate.h"
#include "shared/bus/bus.h"
#include "shared/bus/bus_carried.h"
#include "shared/clock.h"
#include "shared/contract/announcement.h"

#define RETRY_MS 250

enum outcome { OUTCOME_NONE, OUTCOME_SENT, OUTCOME_RETURNED, OUTCOME_NACKED, OUTCOME_NO_ADDRESS, OUTCOME_UNREAD };

struct talk {
	const struct conf *conf;
	struct announcement message;
	struct addrwatch *watch;
	struct bus *bus;
	size_t endpoint;
	bool open;
	bool published;
	int64_t now_ms, retry_at_ms;
	enum outcome outcome;
	char fault[BUS_FAILURE_TEXT];
};

static bool choose_addresses(struct talk *t)
{
	struct address local;

	if (t->message.op != ANNOUNCEMENT_UP)
		return true;
	memset(t->message.addresses, 0, sizeof(t->message.addresses));
	if (bus_local_address(t->bus, &local) == 0)
		t->message.naddresses =
			addrselect(addrwatch_facts(t->watch), &t->conf->wish, &local, t->message.addresses);
	if (t->message.naddresses == 0)
		t->outcome = OUTCOME_NO_ADDRESS;
	return t->message.naddresses > 0;
}

/* As soon as we are connected and know our addresses. */
static void publish(struct talk *t)
{
	static char body[ANNOUNCEMENT_BODY_MAX];
	char key[ANNOUNCEMENT_KEY_MAX + 1];
	const struct bus_properties properties = {.persistent = true, .content_type = ANNOUNCEMENT_CONTENT_TYPE,
	                                          .type = ANNOUNCEMENT_TYPE, .user_id = bus_user(t->bus)};
	int length;

	if (t->published || !bus_is_up(t->bus) || (t->message.op == ANNOUNCEMENT_UP && !addrwatch_ready(t->watch)) || !choose_addresses(t))
		return;
	length = announcement_encode(&t->message, body);
	if (length == -1) {
		bus_fail(t->bus, "the announcement does not fit into one message");
		return;
	}
	t->published = true;
	bus_confirm_select(t->bus);
	bus_publish(t->bus, EXCHANGE_ANNOUNCE, announcement_key(t->message.op, t->message.name, key), true, &properties, body,
	            (size_t)length);
}

static void on_up(void *arg)
{
	publish(arg);
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct talk *t = arg;

	t->open = t->published = false;
	if (strcmp(t->fault, failure->text) != 0)
		log_warnx("%s", failure->text);
	snprintf(t->fault, sizeof(t->fault), "%s", failure->text);
	t->endpoint = (t->endpoint + 1) % t->conf->bus.nendpoints;
	t->retry_at_ms = t->endpoint == 0 ? t->now_ms + RETRY_MS : t->now_ms;
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	static const enum outcome outcomes[] = {
		[BUS_CONFIRMED] = OUTCOME_SENT, [BUS_RETURNED] = OUTCOME_RETURNED, [BUS_NACKED] = OUTCOME_NACKED};
	struct talk *t = arg;

	(void)sequence;
	t->outcome = outcomes[result];
}

static void talk_turn(struct talk *t, const struct bus_options *options, int64_t end_ms)
{
	struct pollfd fds[] = {{.fd = bus_fd(t->bus), .events = POLLIN}, {.fd = addrwatch_fd(t->watch), .events = POLLIN}};
	int64_t due_ms = t->open ? bus_deadline_ms(t->bus) : t->retry_at_ms, watch_ms = addrwatch_deadline_ms(t->watch);

	due_ms = watch_ms < due_ms ? watch_ms : due_ms;
	(void)poll(fds, 2, clock_poll_timeout(clock_ms(), due_ms < end_ms ? due_ms : end_ms));
	t->now_ms = clock_ms();
	if (addrwatch_step(t->watch, fds[1].revents != 0, t->now_ms) == -1)
		log_warn("addresses cannot be read%s", addrwatch_deadline_ms(t->watch) != CLOCK_NEVER ? ", which is tried again" : "");
	if (t->open)
		while (bus_step(t->bus, t->now_ms, 0))
			continue;
	if (t->open)
		publish(t);
	else if (t->now_ms >= t->retry_at_ms && bus_open(t->bus, &t->conf->bus.endpoints[t->endpoint], options, t->now_ms) == 0)
		t->open = true;
	else if (t->now_ms >= t->retry_at_ms)
		t->retry_at_ms = t->now_ms + RETRY_MS;
}

static void talk(struct talk *t, int64_t end_ms)
{
	static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down, .confirm = on_confirm};
	const struct bus_options options = {.client_name = "callsign-emit --once", .heartbeat_s = t->conf->bus.heartbeat_s,
	                                    .connect_ms = BUS_CONNECT_MS, .handshake_ms = BUS_HANDSHAKE_MS,
	                                    .user_timeout_ms = BUS_USER_TIMEOUT_MS, .frame_max = BUS_FRAME_MAX_EMITTER,
	                                    .tls = &t->conf->bus.tls};

	t->bus = bus_new(&callbacks, t);
	if (t->bus == NULL)
		return;
	if (t->message.op == ANNOUNCEMENT_UP && (t->watch = addrwatch_new(NULL, NULL)) == NULL) {
		bus_free(t->bus);
		return;
	}
	t->now_ms = t->retry_at_ms = clock_ms();
	while (t->outcome == OUTCOME_NONE && clock_ms() < end_ms)
		talk_turn(t, &options, end_ms);
	if (t->outcome == OUTCOME_NONE && bus_is_up(t->bus) && addrwatch_is_lost(t->watch))
		t->outcome = OUTCOME_UNREAD;
	bus_close(t->bus);
	bus_free(t->bus);
	addrwatch_free(t->watch);
}

static void say_sent(const struct announcement *message)
{
	char text[ADDRESS_TEXT_SIZE];
	unsigned i;

	if (message->op == ANNOUNCEMENT_DOWN) {
		printf("withdrawn name=%s seq=%" PRIu64 "\n", message->name, message->seq);
		return;
	}
	printf("announced name=%s addresses=", message->name);
	for (i = 0; i < message->naddresses; i++)
		printf("%s%s", i > 0 ? "," : "", address_format(&message->addresses[i], text));
	printf(" lease=%" PRIu32 " seq=%" PRIu64 "\n", message->lease_s, message->seq);
}

static int say(const struct talk *t)
{
	switch (t->outcome) {
	case OUTCOME_SENT:
		say_sent(&t->message);
		return 0;
	case OUTCOME_RETURNED:
		log_errorx("%s: no host listens: callsignd has no queue on this vhost", t->message.name);
		break;
	case OUTCOME_NACKED:
		log_errorx("%s: the broker refuses the announcement", t->message.name);
		break;
	case OUTCOME_NO_ADDRESS:
		log_errorx("%s: there is no usable address to announce: see interface and subnets in emit.conf(5)", t->message.name);
		break;
	case OUTCOME_UNREAD:
		log_errorx("%s: its addresses could not be read within %d s", t->message.name, ONCE_TIMEOUT_MS / 1000);
		break;
	case OUTCOME_NONE:
		log_errorx("%s: the broker was not reached within %d s%s%s", t->message.name, ONCE_TIMEOUT_MS / 1000,
		           t->fault[0] != '\0' ? ": " : "", t->fault);
		break;
	}
	return ONCE_EXIT_UNAVAILABLE;
}

static int new_state(struct oncestate *state, const char *name)
{

	memset(state, 0, sizeof(*state));
	snprintf(state->name, sizeof(state->name), "%s", name);
	return ident_new(&state->instance);
}

/* The state that the next message goes by, its seq already counted up and written: a seq that was perhaps sent is never used again. */
static int prepare(const char *path, const char *name, bool up, struct oncestate *state)
{
	enum oncestate_result found = oncestate_load(path, state);

	if (found == ONCESTATE_ERROR)
		return -1;
	if (found == ONCESTATE_FOUND && strcmp(state->name, name) != 0) {
		log_errorx("%s: belongs to the name %s, not %s: withdraw that first, or give another --state", path, state->name, name);
		return -1;
	}
	if (found == ONCESTATE_NONE && !up) {
		log_errorx("%s: no such file: --once up has not announced %s, or it is withdrawn already", path, name);
		return -1;
	}
	if (found == ONCESTATE_NONE && new_state(state, name) == -1) {
		log_error("random numbers");
		return -1;
	}
	state->seq++;
	return oncestate_save(path, state);
}

static void compose(struct announcement *message, const struct conf *conf, const struct oncestate *state, bool up,
                    uint32_t lease_s)
{
	memset(message, 0, sizeof(*message));
	message->op = up ? ANNOUNCEMENT_UP : ANNOUNCEMENT_DOWN;
	memcpy(message->name, state->name, sizeof(message->name));
	message->instance = state->instance;
	message->seq = state->seq;
	message->lease_s = lease_s;
	memcpy(message->aliases, conf->aliases, sizeof(message->aliases));
	message->naliases = conf->naliases;
	memcpy(message->ports, conf->ports, sizeof(message->ports));
	message->nports = conf->nports;
	bus_carried_agent("callsign-emit", message->agent, sizeof(message->agent));
}

int once(const struct conf *conf, const char *name, bool up, uint32_t lease_s, const char *state_path)
{
	static struct talk t;
	char default_path[ONCESTATE_PATH_SIZE];
	const char *path = state_path != NULL ? state_path : oncestate_path(name, default_path);
	int64_t end_ms = clock_ms() + ONCE_TIMEOUT_MS;
	int lock = oncestate_lock(path, end_ms);
	struct oncestate state;
	int status;

	if (lock == -1)
		return ONCE_EXIT_STATE;
	if (prepare(path, name, up, &state) == -1) {
		oncestate_unlock(path, lock);
		return ONCE_EXIT_STATE;
	}
	t = (struct talk){.conf = conf};
	compose(&t.message, conf, &state, up, lease_s);
	talk(&t, end_ms);
	status = say(&t);
	if (!up && status == 0 && oncestate_remove(path) == -1)
		status = ONCE_EXIT_STATE;
	oncestate_unlock(path, lock);
	return status;
}
