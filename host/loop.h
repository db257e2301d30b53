#ifndef CALLSIGN_LOOP_H
#define CALLSIGN_LOOP_H

/*
 * The folder host/ itself: callsignd's start and its loop, which alone knows all rooms of the daemon and wires them together. No room
 * includes it.
 */

#include "conf/conf.h"

/*
 * The daemon at work, until SIGTERM or SIGINT. Takes conf over and frees it. conf_path is read again on SIGHUP. ready(arg) is called once, when
 * the first hosts file is in place; the broker may still be away then. Returns the exit code (detach.h).
 *
 * One turn of the loop: deliveries go into the registry; the view is computed anew where facts changed; the sinks take the batch; what they have
 * stored is acked, what they serve is answered. Nothing in it blocks.
 */
int loop_run(struct conf *conf, const char *conf_path, void (*ready)(void *arg), void *arg);

#endif
