#ifndef CALLSIGN_DNSMASQCONF_H
#define CALLSIGN_DNSMASQCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What dnsmasq was told: the options of its command line, and of the files and folders that these name (dnsmasq(8), --conf-file, --conf-dir), in that
 * order. Only what a file says now is known, not what it said when dnsmasq read it.
 */
struct dnsmasqconf_option {
	char *key;   /* long form, without dashes: "interface" */
	char *value; /* "" without one */
	char *where; /* FILE:LINE, or "its command line" */
};

struct dnsmasqconf {
	struct dnsmasqconf_option *options;
	size_t count;
	bool incomplete; /* a file could not be read, or memory ran out */
	const char *root; /* prepended to every path; "": none */
};

/* Of a running dnsmasq, from /proc/PID/cmdline. root as below. */
void dnsmasqconf_of_process(struct dnsmasqconf *conf, pid_t pid);

/* Of what Debian's dnsmasq reads when it is started: /etc/dnsmasq.conf and /etc/dnsmasq.d. root: where / is, "" for the real one. Kept, not copied. */
void dnsmasqconf_of_system(struct dnsmasqconf *conf, const char *root);
void dnsmasqconf_free(struct dnsmasqconf *conf);

/* The first option of that key (and, unless NULL, value), or NULL. */
const struct dnsmasqconf_option *dnsmasqconf_find(const struct dnsmasqconf *conf, const char *key, const char *value);

#endif
