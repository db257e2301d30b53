#include <config.h>

#include <string.h>

#include "conf.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_endpoint(const struct bus_endpoint *a, const struct bus_endpoint *b)
{
	return same_text(a->host, b->host) && a->port == b->port && same_text(a->vhost, b->vhost) && same_text(a->user, b->user) &&
	       same_text(a->password, b->password) && a->tls == b->tls;
}

bool conf_same_bus(const struct conf *a, const struct conf *b)
{
	const struct bus_tls *one = &a->bus.tls, *other = &b->bus.tls;
	size_t i;

	if (a->bus.nendpoints != b->bus.nendpoints || a->bus.heartbeat_s != b->bus.heartbeat_s)
		return false;
	for (i = 0; i < a->bus.nendpoints; i++) {
		if (!same_endpoint(&a->bus.endpoints[i], &b->bus.endpoints[i]))
			return false;
	}
	return same_text(one->ca, other->ca) && same_text(one->cert, other->cert) && same_text(one->key, other->key) &&
	       same_text(one->server_name, other->server_name) && one->verify == other->verify &&
	       same_text(a->queue.name, b->queue.name) && same_text(a->queue.type, b->queue.type) &&
	       a->queue.expires_s == b->queue.expires_s && a->queue.max_length == b->queue.max_length &&
	       same_text(a->hostname, b->hostname);
}
