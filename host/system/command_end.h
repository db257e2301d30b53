#ifndef CALLSIGN_COMMAND_END_H
#define CALLSIGN_COMMAND_END_H

#include <sys/types.h>

/*
 * End a command that took too long, with everything that it started and that descends from it still: a wrapper that changes user (su -c, as Debian's
 * rabbitmqctl) puts what it runs into a session of its own, so that neither a signal to the wrapper nor one to its process group reaches that.
 *
 * pid: our own child, not waited for yet. It is ended by SIGKILL; waiting for it stays with the caller.
 */
void command_end(pid_t pid);

#endif
