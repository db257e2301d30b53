#ifndef CALLSIGN_NOTIFY_H
#define CALLSIGN_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What systemd is told (sd_notify(3)), where it asks for it: datagrams to NOTIFY_SOCKET. Elsewhere all of this does nothing. Nothing
 * here waits: a message for which there is no room is left out.
 */
void notify_open(void); /* reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment */

bool notify_wanted(void);

void notify_ready(void);
void notify_reloading(void); /* notify_ready() follows when the reload is done, whatever came of it */
void notify_stopping(void);

/* STATUS=: the line that `systemctl status` shows. Sent only if it is another one than the last. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The watchdog wants a sign of life in half of its time: call notify_watchdog() at this deadline or later. */
int64_t notify_deadline_ms(void);
void notify_watchdog(int64_t now_ms);

#endif
