#ifndef CALLSIGN_SHORTAGE_H
#define CALLSIGN_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/*
 * Whether an errno says that something is lacking for now (descriptors, memory, a thread), and nothing of what was to be done: that is worth another try.
 * It is no answer: a container that could not be looked at is not one without a name. EAGAIN is a thread's or a socket's; of a descriptor that does not wait it means
 * that there is nothing, which its reader has to tell first.
 */
static inline bool shortage_is(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EAGAIN;
}

#endif
