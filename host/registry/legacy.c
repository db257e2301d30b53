#include <config.h>

#include "internal.h"

#include <string.h>

#include "shared/clock.h"

/* Facts of the older wire format: no emitter stands behind them, so neither leases nor resyncs are of any use, and each has one address. */

void endless_yield(struct registry *registry, const struct address *address, int64_t now_ms)
{
	struct endless *endless;

	if (registry->endless == NULL)
		return;
	HASH_FIND(hh, registry->endless, address, sizeof *address, endless);
	if (endless != NULL)
		node_remove(registry, &endless->node, "address claimed", false, now_ms);
}

enum registry_verdict registry_legacy_up(struct registry *registry, const struct announcement *message, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
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
	node = node_new(registry, sizeof(struct endless), user, message, now_ms);
	if (node == NULL) {
		user_put(registry, user);
		return REGISTRY_REJECTED_MEMORY;
	}
	node->fact.expires_ms = CLOCK_NEVER;
	endless_remember(registry, node);
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
	struct endless *endless, *next;
	size_t count = 0;

	HASH_ITER(hh, registry->endless, endless, next) {
		node_remove(registry, &endless->node, "legacy is off", false, now_ms);
		count++;
	}
	resync_check(registry, now_ms);
	return count;
}
