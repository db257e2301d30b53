#ifndef CALLSIGN_ACCEPTING_H
#define CALLSIGN_ACCEPTING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Taking callers from a listening socket. Where descriptors or memory are short accept(2) fails and the caller stays in the queue, so that the socket
 * stays readable: whoever goes on polling it turns without a pause. So it is left alone for a moment then, and callers wait in its queue.
 * Begins with all zero.
 */
struct accepting {
	int64_t again_ms;   /* not to be polled before that; 0: it may be */
	int64_t silence_ms; /* no line in the log before that */
};

#define ACCEPTING_PAUSE_MS 100
#define ACCEPTING_SILENCE_MS 60000

/*
 * The next caller, close-on-exec and non-blocking, or -1: there is none, or none can be taken for now, which is logged once a minute, what being the
 * socket's name there.
 */
int accepting_take(struct accepting *accepting, int fd, const char *what, int64_t now_ms);

/* Likewise for a socket that cannot be polled for now. */
void accepting_pause(struct accepting *accepting, int64_t now_ms);

/* Whether the socket is to be polled; if not, accepting_deadline_ms() says when it is again. CLOCK_NEVER: it is. */
bool accepting_polls(const struct accepting *accepting, int64_t now_ms);
int64_t accepting_deadline_ms(const struct accepting *accepting, int64_t now_ms);

#endif
