#include <config.h>

#include "line.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"

#define REPLY_QUEUE "amq.rabbitmq.reply-to"
#define CORRELATION "doctor"

static void on_up(void *arg)
{
	struct line *line = arg;

	line->up = true;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct line *line = arg;

	line->down = true;
	line->failure = *failure;
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	struct line *line = arg;

	line->answered |= request != BUS_REQUEST_CHANNEL;
	line->count = count;
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	struct line *line = arg;

	(void)sequence;
	line->confirmed = true;
	line->result = result;
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	char error[ANNOUNCEMENT_ERROR_SIZE];
	struct line *line = arg;

	line->replied |= delivery->body.data != NULL &&
	                 announcement_decode(delivery->body.data, delivery->body.length, &line->reply, error) == 0;
}

void line_turn(struct line *line, int64_t until_ms)
{
	struct pollfd fd = {.fd = bus_fd(line->bus), .events = POLLIN};
	int64_t due_ms = bus_deadline_ms(line->bus);

	if (line->down)
		return;
	(void)poll(&fd, 1, clock_poll_timeout(clock_ms(), due_ms < until_ms ? due_ms : until_ms));
	while (bus_step(line->bus, clock_ms(), 0))
		continue;
}

static int line_await(struct line *line, const bool *condition)
{
	int64_t until_ms = clock_ms() + LINE_ANSWER_MS;

	while (!*condition && !line->down && clock_ms() < until_ms)
		line_turn(line, until_ms);
	if (*condition)
		return 0;
	if (!line->down) {
		line->failure.kind = BUS_FAILED_TIMEOUT;
		snprintf(line->failure.text, sizeof line->failure.text, "the broker did not answer within %d s", LINE_ANSWER_MS / 1000);
	}
	return -1;
}

int line_open(struct line *line, const struct conf *conf, size_t endpoint)
{
	static const struct bus_callbacks callbacks = {
		.up = on_up, .down = on_down, .done = on_done, .confirm = on_confirm, .delivery = on_delivery};

	memset(line, 0, sizeof *line);
	line->options = (struct bus_options){.client_name = "callsignctl doctor", .heartbeat_s = conf->bus.heartbeat_s,
	                                     .connect_ms = BUS_CONNECT_MS, .handshake_ms = BUS_HANDSHAKE_MS,
	                                     .user_timeout_ms = BUS_USER_TIMEOUT_MS, .frame_max = BUS_FRAME_MAX_HOST,
	                                     .tls = &conf->bus.tls};
	line->bus = bus_new(&callbacks, line);
	if (line->bus == NULL || bus_open(line->bus, &conf->bus.endpoints[endpoint], &line->options, clock_ms()) == -1) {
		line->failure.kind = BUS_FAILED_LOCAL;
		snprintf(line->failure.text, sizeof line->failure.text, "cannot connect: %s", strerror(errno));
		return -1;
	}
	return line_await(line, &line->up);
}

void line_close(struct line *line)
{
	if (line->bus != NULL && line->up && !line->down)
		bus_close(line->bus);
	bus_free(line->bus);
	line->bus = NULL;
}

int line_exchange(struct line *line, const char *exchange, const char *type, bool passive)
{
	line->answered = false;
	bus_exchange_declare(line->bus, exchange, type, passive, true);
	return line_await(line, &line->answered);
}

int line_queue_passive(struct line *line, const char *queue)
{
	const struct bus_queue_arguments none = {0};

	line->answered = false;
	bus_queue_declare(line->bus, queue, true, &none);
	return line_await(line, &line->answered);
}

int line_queue_throwaway(struct line *line, const char *queue)
{
	const struct bus_queue_arguments brief = {.expires_ms = 1000};

	line->answered = false;
	bus_queue_declare(line->bus, queue, false, &brief);
	if (line_await(line, &line->answered) == -1)
		return -1;
	line->answered = false;
	bus_queue_delete(line->bus, queue, true);
	return line_await(line, &line->answered);
}

int line_bind(struct line *line, const char *queue, const char *exchange, const char *key)
{
	line->answered = false;
	bus_queue_bind(line->bus, queue, exchange, key);
	return line_await(line, &line->answered);
}

int line_consume(struct line *line, const char *queue)
{
	line->answered = false;
	bus_consume(line->bus, queue, false, true, 0);
	return line_await(line, &line->answered);
}

int line_replies(struct line *line)
{
	return line_consume(line, REPLY_QUEUE);
}

int line_publish(struct line *line, const char *exchange, const char *key, const void *body, size_t length, bool reply)
{
	const struct bus_properties properties = {
		.persistent = true, .content_type = ANNOUNCEMENT_CONTENT_TYPE, .type = ANNOUNCEMENT_TYPE, .user_id = bus_user(line->bus),
		.reply_to = reply ? REPLY_QUEUE : NULL, .correlation_id = reply ? CORRELATION : NULL,
		.correlation_id_length = reply ? strlen(CORRELATION) : 0};

	line->answered = line->confirmed = false;
	bus_confirm_select(line->bus);
	bus_publish(line->bus, exchange, key, true, &properties, body, length);
	return line_await(line, &line->confirmed);
}
