#ifndef CALLSIGN_PRIVILEGES_H
#define CALLSIGN_PRIVILEGES_H

#include "conf/conf.h"

#define PRIVILEGES_USER "callsign" /* whom a daemon started by root becomes, where there is such a user */

/*
 * Become run_as for good, before any thread is started and any file is made: its user and group, no supplementary groups, no capability but CAP_KILL
 * (SIGHUP and SIGALRM for a dnsmasq that runs as another user; not even that where it runs as the same one), an empty bounding set, no new privileges through
 * whatever might be executed. The directories of the pid file and the hosts file are made, if they are missing, and given to the user; others' are
 * left as they are, but for /run/callsign.
 *
 * Not started by root: the user stays, and of the capabilities only CAP_KILL, if it was given.
 *
 * Returns 1 if the user changed, 0 if not (run_as = "root"; no run_as and no user callsign: said in the log), -1 after logging what failed: then the
 * process must end, for it may be half way.
 */
int privileges_drop(const struct conf *conf);

/* After a reload: what conf needs and was given up at the start, when the configuration was another, in words; NULL: nothing. */
const char *privileges_missing(const struct conf *conf);

#endif
