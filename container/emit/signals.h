#ifndef CALLSIGN_SIGNALS_H
#define CALLSIGN_SIGNALS_H

#include <signal.h>

/* Signals as something to poll for. All are blocked but those that tell of a fault in our own code; nothing is done in a handler. */
struct signals {
	int fd;
	sigset_t original; /* the mask before, for a COMMAND */
};

/* Before any thread or child is started. 0, or -1 with errno. */
int signals_open(struct signals *signals);

/* Readable: a signal came. Returns it; 0: there is none left. */
int signals_next(struct signals *signals);

#endif
