#ifndef CALLSIGN_CONTROL_H
#define CALLSIGN_CONTROL_H

/*
 * The room host/control/: the control socket, which callsignctl asks. It reads the status and the metrics (host/web); what a request
 * changes it hands to the loop. It must not know sinks or brokers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "status/status.h"

/*
 * The control socket, for callsignctl and whoever speaks its protocol (docs/control.md): a line of JSON asks, lines of JSON answer. Whoever may
 * open the socket (its group) may ask; what changes something takes root, by the peer's credentials (unix(7), SO_PEERCRED).
 *
 * Nothing here waits for a client, and all that a client can make us do in one turn of the loop is bounded: see client.h, stream.h.
 */
struct control;

#define CONTROL_CLIENTS_MAX 32
#define CONTROL_CLIENTS_OTHERS 24 /* of them for users other than root, so that root always gets in */

/* What is asked of the daemon. */
struct control_daemon {
	void (*sources)(void *arg, struct status_sources *out);
	bool (*reload)(void *arg, int64_t now_ms); /* whether the new configuration is in force; may call control_configure() */
	bool (*rollcall)(void *arg, int64_t now_ms); /* false: no connection */
	size_t (*forget)(void *arg, const char *name, int64_t now_ms); /* how many instances */
	void *arg;
};

/* NULL with errno. daemon is copied. It listens from control_configure() on. */
struct control *control_new(const struct control_daemon *daemon);
void control_free(struct control *control); /* says goodbye to everybody and removes the socket */

/* Listen at conf->control.socket, or go on doing so. Failing is logged and no reason to end: the names matter more. Nothing of conf is kept. */
void control_configure(struct control *control, const struct conf *conf);

/* The descriptor to poll for reading (epoll(7)) or -1, the next deadline, and what to do when either fires; readable: it is. */
int control_fd(const struct control *control);
int64_t control_deadline_ms(const struct control *control, int64_t now_ms);
void control_step(struct control *control, bool readable, int64_t now_ms);

/* From the registry and the view: for those who watch. */
void control_changed(struct control *control, const struct fact *fact);
void control_gone(struct control *control, const struct fact *fact, const char *why);

/* The end of a turn: the view has decided, the sinks have the batch. Tells those who watch. */
void control_publish(struct control *control, int64_t now_ms);

#endif
