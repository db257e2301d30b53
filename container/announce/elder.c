#include <config.h>

#include "elder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faultlog.h"
#include "publisher.h"
#include "shared/backoff.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/contract/legacy.h"
#include "shared/jitter.h"

enum heard { HEARD_NOTHING_SAID, HEARD_WAITING, HEARD_TAKEN, HEARD_NOBODY, HEARD_NACKED };

struct elder {
	const struct conf *conf;
	const char *name;
	const struct addrwatch *watch;
	struct bus *bus;
	struct bus_options options;
	char client_name[sizeof("callsign-emit ") + HOSTNAME_NAME_MAX];
	size_t endpoint;     /* the next one to try */
	size_t failures;
	bool open;           /* bus_open() was called and `down` was not */
	bool close_wanted;   /* the bus may not be closed inside its callbacks */
	bool own_address;    /* the connection's local address was seen on an interface */
	struct backoff backoff, again;
	int64_t tried_ms, retry_at_ms, again_at_ms;
	struct faultlog faultlog;
	bool claimed;        /* hosts may know us by this address */
	struct address address;
	bool said;           /* on this connection */
	enum heard heard;    /* what became of it */
	uint64_t up_sequence, down_sequence; /* the last ones; 0: none on this connection */
	const char *withheld;
	bool leaving, ended;
	int64_t now_ms;
};

/* ---- what is said ---- */

static uint64_t publish(struct elder *e, enum announcement_op op)
{
	static const struct bus_properties none;
	char body[LEGACY_BODY_MAX + 1];
	size_t length = legacy_encode(op, e->name, &e->address, body);

	log_debug("says %s", body);
	return bus_publish(e->bus, EXCHANGE_LEGACY, "", op == ANNOUNCEMENT_UP, &none, body, length);
}

static void say_down(struct elder *e)
{
	char text[ADDRESS_TEXT_SIZE];

	e->down_sequence = publish(e, ANNOUNCEMENT_DOWN);
	e->claimed = e->said = false;
	e->heard = HEARD_NOTHING_SAID;
	log_info("withdrawn name=%s address=%s", e->name, address_format(&e->address, text));
}

static void say_up(struct elder *e)
{
	e->claimed = e->said = true;
	e->heard = HEARD_WAITING;
	e->again_at_ms = CLOCK_NEVER;
	e->up_sequence = publish(e, ANNOUNCEMENT_UP);
}

/* The format has IPv4 only, and one address. */
static bool choose(const struct elder *e, const struct address *local, struct address *out)
{
	struct address list[ANNOUNCEMENT_ADDRESSES_MAX];
	unsigned count;

	memset(list, 0, sizeof(list));
	count = addrselect(addrwatch_facts(e->watch), &e->conf->wish, local, list);
	for (unsigned i = 0; i < count; i++) {
		if (list[i].family != 4)
			continue;
		*out = list[i];
		return true;
	}
	return false;
}

/* The address that the connection hangs on has gone from its interface: nothing will ever come through it again. */
static bool connection_is_cut(struct elder *e, const struct address *local)
{
	bool had = e->own_address;

	e->own_address = addrselect_has(addrwatch_facts(e->watch), local);
	if (e->own_address || !had)
		return false;
	bus_fail(e->bus, "the connection's own address is gone");
	return true;
}

static void say(struct elder *e)
{
	struct address local, chosen;
	bool have;

	if (!bus_is_up(e->bus) || e->leaving || bus_local_address(e->bus, &local) == -1 || connection_is_cut(e, &local))
		return;
	have = e->withheld == NULL && choose(e, &local, &chosen);
	if (e->claimed && (!have || !address_equal(&chosen, &e->address)))
		say_down(e);
	if (!have || (e->said && e->heard != HEARD_NOBODY && e->heard != HEARD_NACKED))
		return;
	e->address = chosen;
	say_up(e);
}

/* ---- what the bus tells ---- */

static void on_up(void *arg)
{
	struct elder *e = arg;

	e->said = e->own_address = false;
	e->heard = HEARD_NOTHING_SAID;
	e->up_sequence = e->down_sequence = 0;
	bus_confirm_select(e->bus);
	/* As all programs of this format do, whoever comes first. */
	bus_exchange_declare(e->bus, EXCHANGE_LEGACY, LEGACY_EXCHANGE_TYPE, false, false);
	if (e->leaving)
		say_down(e);
	else
		say(e);
}

/* One URL after the other without a pause; after each round, and after a connection that stood, the backoff's delay. */
static void schedule_retry(struct elder *e, bool stood)
{
	e->endpoint = (e->endpoint + 1) % e->conf->bus.nendpoints;
	e->failures++;
	if (stood || e->failures % e->conf->bus.nendpoints == 0)
		e->retry_at_ms = e->now_ms + backoff_next(&e->backoff, jitter_bits());
	else
		e->retry_at_ms = e->now_ms;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct elder *e = arg;
	bool stood = e->heard == HEARD_TAKEN;

	e->open = e->said = false;
	e->heard = HEARD_NOTHING_SAID;
	e->again_at_ms = CLOCK_NEVER;
	if (faultlog_wants(&e->faultlog, failure->text, e->now_ms))
		log_warnx("%s; retrying", failure->text);
	else
		log_debug("%s; retrying", failure->text);
	/* Nobody else will ever take this name back: what is left of our time goes into that. */
	if (e->leaving && !e->claimed)
		e->ended = true;
	schedule_retry(e, stood);
}

static void up_taken(struct elder *e)
{
	char text[ADDRESS_TEXT_SIZE];

	e->heard = HEARD_TAKEN;
	backoff_reset(&e->backoff);
	backoff_reset(&e->again);
	faultlog_reset(&e->faultlog);
	log_info("announced name=%s address=%s in the older format", e->name, address_format(&e->address, text));
}

static void up_failed(struct elder *e, enum heard heard)
{
	e->heard = heard;
	e->again_at_ms = e->now_ms + backoff_next(&e->again, jitter_bits()) + ELDER_AGAIN_FIRST_MS / 2;
	if (faultlog_wants(&e->faultlog, elder_status(e), e->now_ms))
		log_warnx("%s; trying again", elder_status(e));
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	struct elder *e = arg;

	if (sequence == e->up_sequence && e->said) {
		if (result == BUS_CONFIRMED)
			up_taken(e);
		else
			up_failed(e, result == BUS_RETURNED ? HEARD_NOBODY : HEARD_NACKED);
	}
	if (sequence == e->down_sequence && e->leaving)
		e->ended = e->close_wanted = true;
}

static void on_blocked(void *arg, bool blocked, const char *reason)
{
	char safe[LOG_SAFE_MAX];

	(void)arg;
	if (blocked)
		log_warnx("the broker holds publishing up: %s", log_phrase(safe, sizeof(safe), reason, strlen(reason)));
	else
		log_info("the broker takes messages again");
}

/* ---- the connection ---- */

static void connect_next(struct elder *e)
{
	e->tried_ms = e->now_ms;
	if (bus_open(e->bus, &e->conf->bus.endpoints[e->endpoint], &e->options, e->now_ms) == 0) {
		e->open = true;
		return;
	}
	log_warn("connecting");
	schedule_retry(e, false);
	if (e->retry_at_ms <= e->now_ms)
		e->retry_at_ms = e->now_ms + PUBLISHER_RETRY_FIRST_MS;
}

struct elder *elder_new(const struct conf *conf, const char *name, const struct addrwatch *watch, int64_t now_ms)
{
	static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down, .confirm = on_confirm, .blocked = on_blocked};
	struct elder *e = calloc(1, sizeof(*e));

	if (e == NULL || (e->bus = bus_new(&callbacks, e)) == NULL) {
		log_error("starting");
		elder_free(e);
		return NULL;
	}
	e->conf = conf;
	e->name = name;
	e->watch = watch;
	snprintf(e->client_name, sizeof(e->client_name), "callsign-emit %s", name);
	e->options = (struct bus_options){.client_name = e->client_name, .heartbeat_s = conf->bus.heartbeat_s,
	                                  .connect_ms = BUS_CONNECT_MS, .handshake_ms = BUS_HANDSHAKE_MS,
	                                  .user_timeout_ms = BUS_USER_TIMEOUT_MS, .frame_max = BUS_FRAME_MAX_EMITTER,
	                                  .tls = &conf->bus.tls};
	backoff_init(&e->backoff, PUBLISHER_RETRY_FIRST_MS, PUBLISHER_RETRY_MAX_MS);
	backoff_init(&e->again, ELDER_AGAIN_FIRST_MS, ELDER_AGAIN_MAX_MS);
	e->again_at_ms = CLOCK_NEVER;
	e->now_ms = now_ms;
	if (conf->naliases > 0 || conf->nports > 0)
		log_info("legacy: aliases and ports are not announced: the older format has none");
	connect_next(e);
	return e;
}

void elder_free(struct elder *e)
{
	if (e == NULL)
		return;
	bus_free(e->bus);
	free(e);
}

int elder_fd(const struct elder *e)
{
	return bus_fd(e->bus);
}

int64_t elder_deadline_ms(const struct elder *e)
{
	int64_t bus_ms = e->open ? bus_deadline_ms(e->bus) : e->retry_at_ms;

	if (e->ended)
		return CLOCK_NEVER;
	return e->again_at_ms < bus_ms ? e->again_at_ms : bus_ms;
}

static void close_if_wanted(struct elder *e)
{
	if (!e->close_wanted)
		return;
	bus_close(e->bus);
	e->open = e->close_wanted = false;
}

void elder_step(struct elder *e, int64_t now_ms)
{
	e->now_ms = now_ms;
	if (e->ended)
		return;
	if (e->open)
		while (bus_step(e->bus, now_ms, 0) && e->open)
			continue;
	if (now_ms >= e->again_at_ms) {
		e->again_at_ms = CLOCK_NEVER;
		say(e);
	}
	close_if_wanted(e);
	if (!e->open && !e->ended && now_ms >= e->retry_at_ms)
		connect_next(e);
}

void elder_network_changed(struct elder *e, int64_t now_ms)
{
	e->now_ms = now_ms;
	if (e->ended)
		return;
	if (e->open)
		say(e);
	else if (e->retry_at_ms > e->tried_ms + PUBLISHER_RETRY_FIRST_MS)
		e->retry_at_ms = e->tried_ms + PUBLISHER_RETRY_FIRST_MS;
}

void elder_withhold(struct elder *e, const char *why, int64_t now_ms)
{
	e->withheld = why;
	if (e->open)
		elder_network_changed(e, now_ms);
}

void elder_withdraw(struct elder *e, int64_t now_ms)
{
	e->now_ms = now_ms;
	e->leaving = true;
	if (bus_is_up(e->bus) && e->claimed)
		say_down(e);
	if (e->claimed || e->down_sequence != 0)
		return;
	e->ended = true;
	e->close_wanted = e->open;
	close_if_wanted(e);
}

bool elder_ended(const struct elder *e)
{
	return e->ended;
}

bool elder_is_announced(const struct elder *e)
{
	return e->heard == HEARD_TAKEN;
}

const char *elder_status(const struct elder *e)
{
	if (e->leaving)
		return "withdrawing";
	if (!bus_is_up(e->bus))
		return "not connected to a broker";
	switch (e->heard) {
	case HEARD_TAKEN:
		return "announced in the older format";
	case HEARD_NOBODY:
		return "nobody listens to the older format: no queue is bound to the exchange " EXCHANGE_LEGACY;
	case HEARD_NACKED:
		return "the broker refuses the announcement";
	case HEARD_WAITING:
		return "announcing";
	default:
		return "no IPv4 address to announce: the older format has no other";
	}
}
