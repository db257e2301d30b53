#ifndef CALLSIGN_AGENT_ERRANDS_H
#define CALLSIGN_AGENT_ERRANDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What may take any time (files of containers, which may be on somebody's dead NFS or FUSE), done aside, in a thread each: whoever is stuck there is
 * stuck alone. A thread in the kernel's hands cannot be ended, so there is a bound; what comes beyond it waits for one to return.
 */
#define ERRANDS_OUT_MAX 64
#define ERRANDS_WAITING_MAX 4096

struct errands;

struct errands *errands_open(void); /* NULL with errno */

/* What is still out keeps what it needs of it: as long as anything is, it is not freed, nor are errands that wait. */
void errands_close(struct errands *errands);

int errands_fd(const struct errands *errands); /* readable: errands_take() has something to do */

/*
 * run(arg) in a thread, with all signals blocked: it must touch nothing but arg, and not log. Then done(arg) by errands_take(). false with errno: neither
 * will be called; EAGAIN: too many wait.
 */
bool errands_start(struct errands *errands, void (*run)(void *arg), void (*done)(void *arg), void *arg);

void errands_take(struct errands *errands);

size_t errands_out(const struct errands *errands);     /* begun, and not taken yet */
size_t errands_waiting(const struct errands *errands); /* not begun: too many are out */

#endif
