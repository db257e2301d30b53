#ifndef CALLSIGN_AGENT_AGENTCONF_H
#define CALLSIGN_AGENT_AGENTCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "announce/addrselect.h"
#include "naming.h"
#include "shared/bus/busconf.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

/* agent.conf, validated, as plain values. agent.conf(5) describes it. */
struct agentconf {
	struct busconf bus;
	char host[QUEUE_AGENT_HOST_MAX + 1]; /* this machine's, by the rules for names */
	struct agentconf_list {
		char **texts;
		size_t count;
	} names, include, exclude, roots;
	struct addrselect_wish wish;
	bool wait;
	bool adopt;
	uint32_t renew_s;
	enum log_level log_level;
};

#define AGENTCONF_PATH "/etc/callsign/agent.conf"

/* NULL after every mistake that was found was logged, as path:line: key: what is wrong. Free with agentconf_free(). */
struct agentconf *agentconf_load(const char *path);
void agentconf_free(struct agentconf *conf); /* wipes passwords; NULL is allowed */

/* Valid as long as conf is. */
struct naming_rules agentconf_rules(const struct agentconf *conf);

#endif
