#include <config.h>

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

/* Facts of the older wire format: no emitter stands behind them, so neither leases nor resyncs are of any use, and each has one address. */

void endless_yield(struct registry *registry, const struct address *address, int64_t now_ms)
{
	const struct endless *endless = registry->endless.count > 0 ? endless_find(registry, address) : NULL;

	if (endless != NULL)
		node_remove(registry, endless->node, "address claimed", false, now_ms);
}

enum registry_verdict registry_legacy_up(struct registry *registry, const struct announcement *message, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	struct endless *endless;
	struct user *user;

	if (node != NULL)
		return strcmp(node->fact.user, REGISTRY_LEGACY_USER) != 0   ? REGISTRY_REJECTED_USER
		       : strcmp(node->fact.name, message->name) != 0        ? REGISTRY_REJECTED_NAME
									     : REGISTRY_IGNORED_OLD;
	user = user_get(registry, REGISTRY_LEGACY_USER);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	/* Before it is counted: a container that takes over an address needs no more room than the one before it. */
	user->facts++;
	endless_yield(registry, &message->addresses[0], now_ms);
	user->facts--;
	if (!user_has_room(registry, user, NULL, message)) {
		user_put(registry, user);
		return REGISTRY_REJECTED_LIMIT;
	}
	endless = malloc(sizeof *endless);
	node = endless != NULL ? node_new(registry, user, message, now_ms) : NULL;
	if (node == NULL) {
		free(endless);
		user_put(registry, user);
		return REGISTRY_REJECTED_MEMORY;
	}
	node->fact.expires_ms = CLOCK_NEVER;
	endless_remember(registry, endless, node);
	node_tell(registry, node);
	resync_check(registry, now_ms);
	return REGISTRY_APPLIED;
}

enum registry_verdict registry_legacy_down(struct registry *registry, const struct announcement *message, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);

	if (node == NULL || !node->endless || strcmp(node->fact.name, message->name) != 0)
		return REGISTRY_IGNORED_STALE;
	node_remove(registry, node, "down", false, now_ms);
	resync_check(registry, now_ms);
	return REGISTRY_APPLIED;
}

size_t registry_legacy_end(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;
	size_t count = 0;

	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (!node->endless)
			continue;
		node_remove(registry, node, "legacy is off", false, now_ms);
		count++;
	}
	resync_check(registry, now_ms);
	return count;
}
