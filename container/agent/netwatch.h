#ifndef CALLSIGN_AGENT_NETWATCH_H
#define CALLSIGN_AGENT_NETWATCH_H

#include <stdint.h>

/*
 * An addrwatch_opener (announce/addrwatch.h) for another process's network namespace; pidfd is an int's address. A socket stays in the namespace in which
 * it was made, so a thread goes there, makes it and ends; the rest of this program never leaves its own. -1 with errno: the process is gone (ESRCH), we may
 * not (setns(2): CAP_SYS_ADMIN), or there is no thread or descriptor left.
 */
int netwatch_open(void *pidfd, uint32_t groups);

#endif
