#ifndef CALLSIGN_DOCTOR_LINE_H
#define CALLSIGN_DOCTOR_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "shared/bus/bus.h"
#include "shared/contract/announcement.h"

/*
 * A connection to the broker for one question after the other: each call waits for its answer. What the broker refuses closes the connection, and
 * the failure tells why.
 */
struct line {
	struct bus *bus;
	struct bus_options options;
	bool up, down;
	struct bus_failure failure; /* once down */
	bool answered;
	uint32_t count;             /* messages in the queue that was declared */
	bool confirmed;
	enum bus_confirm result;
	bool replied;
	struct announcement reply;
};

#define LINE_ANSWER_MS 5000

/* Log in to conf's broker of that index. 0, or -1 with line->failure. To be closed in both cases. */
int line_open(struct line *line, const struct conf *conf, size_t endpoint);
void line_close(struct line *line);

/* Read what there is, waiting for it until until_ms at most. */
void line_turn(struct line *line, int64_t until_ms);

/* Each 0, or -1 with line->failure. */
int line_exchange(struct line *line, const char *exchange, const char *type, bool passive);
int line_queue_passive(struct line *line, const char *queue);
int line_queue_throwaway(struct line *line, const char *queue); /* declared, and deleted at once */
int line_bind(struct line *line, const char *queue, const char *exchange, const char *key);
int line_consume(struct line *line, const char *queue);
int line_replies(struct line *line); /* from here on line->reply is what a host says to our announcements */

/* Waits for the broker's confirm: line->result. reply: ask the hosts for an answer. */
int line_publish(struct line *line, const char *exchange, const char *key, const void *body, size_t length, bool reply);

#endif
