#ifndef CALLSIGN_REVERSEZONES_H
#define CALLSIGN_REVERSEZONES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "registry/view.h"
#include "shared/address.h"
#include "system/localaddr.h"
#include "system/localnet.h"

/*
 * The reverse zones of the networks that containers are on, as these come and go: whoever asks for the name of an address there is to ask nobody else. Two files beside
 * the hosts file, in the form that dnsmasq's servers-file takes, which it reads again at each SIGHUP:
 *
 *   reverse   server=/18.172.in-addr.arpa/                   for the dnsmasq that has the names: it asks nobody
 *   forward   server=/18.172.in-addr.arpa/127.0.0.1#253      for those that ask that one (conf->forwarders has their pid files)
 *
 * A bridge counts that an engine has named (docker0, br-0123456789ab, podman1, ...), and any other one of this host as soon as an address on it has a name here: of
 * a network of virtual machines somebody else may know the names.
 *
 * A SIGHUP costs a dnsmasq its cache. So changes are collected for a moment, and of a file that is already as it should be nobody is told.
 */
struct reversezones;

struct reversezones *reversezones_new(void); /* NULL with errno */
void reversezones_free(struct reversezones *zones);

/* This host's bridges, as they are from now on. What cannot be kept, for want of memory, is as it was. */
void reversezones_bridges(struct reversezones *zones, const struct localnet *localnet, int64_t now_ms);

/* These addresses have names. */
void reversezones_listing(struct reversezones *zones, const struct listing *listing, int64_t now_ms);

/* Where the names are may be another by now. */
void reversezones_again(struct reversezones *zones, int64_t now_ms);

/* When reversezones_step() is due; CLOCK_NEVER: nothing is to be written. */
int64_t reversezones_deadline_ms(const struct reversezones *zones);

/* Writes what is due, and tells those that forward. true: `reverse` is another than before, and the dnsmasq that has the names is to be told. */
bool reversezones_step(struct reversezones *zones, const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms);

/* Whether `reverse` is newer than the hosts file: a daemon that wrote it did not come to tell the dnsmasq that has the names. */
bool reversezones_untold(const struct conf *conf);

/* Whether a bridge of that name is an engine's. Pure. */
bool reversezones_is_engines(const char *bridge);

#endif
