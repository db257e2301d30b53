#include <config.h>

#include "addrselect.h"

#include <string.h>

struct choice {
	unsigned count, room;
	struct address *list;
};

static bool choice_has(const struct choice *choice, const struct address *address)
{
	unsigned i;

	for (i = 0; i < choice->count; i++) {
		if (address_equal(&choice->list[i], address))
			return true;
	}
	return false;
}

static void choice_add(struct choice *choice, const struct address *address)
{
	if (choice->count < choice->room && !choice_has(choice, address))
		choice->list[choice->count++] = *address;
}

static const struct addrselect_link *link_find(const struct addrselect_facts *facts, unsigned index)
{
	size_t i;

	for (i = 0; i < facts->nlinks; i++) {
		if (facts->links[i].index == index)
			return &facts->links[i];
	}
	return NULL;
}

/*
 * The kernel makes a stable address and a temporary one from the same advertisement, and asks whether either is taken after a time of
 * chance: the temporary one may be ready first, and would be announced for that second.
 */
static bool stable_one_comes(const struct addrselect_facts *facts, unsigned link)
{
	size_t i;

	for (i = 0; i < facts->naddresses; i++) {
		const struct addrselect_address *address = &facts->addresses[i];

		if (address->link == link && address->pending && !address->temporary && address_unusable(&address->address) == NULL)
			return true;
	}
	return false;
}

static bool candidate(const struct addrselect_facts *facts, const struct addrselect_address *address)
{
	const struct addrselect_link *link = link_find(facts, address->link);

	return link != NULL && link->up && !address->unsettled && address_unusable(&address->address) == NULL &&
	       !(address->temporary && stable_one_comes(facts, address->link));
}

/* Unique local addresses (RFC 4193) reach less far than global ones. */
static bool unique_local(const struct address *address)
{
	return address->family == 6 && (address->bytes[0] & 0xfe) == 0xfc;
}

static bool better(const struct addrselect_address *a, const struct addrselect_address *b)
{
	if (a->lesser != b->lesser)
		return !a->lesser;
	if (unique_local(&a->address) != unique_local(&b->address))
		return !unique_local(&a->address);
	return address_compare(&a->address, &b->address) < 0;
}

static const struct addrselect_address *best_on(const struct addrselect_facts *facts, unsigned link, uint8_t family)
{
	const struct addrselect_address *best = NULL;
	size_t i;

	for (i = 0; i < facts->naddresses; i++) {
		const struct addrselect_address *address = &facts->addresses[i];

		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): with naddresses over 0 there are addresses */
		if (address->link != link || address->address.family != family || !candidate(facts, address))
			continue;
		if (best == NULL || better(address, best))
			best = address;
	}
	return best;
}

static bool in_subnets(const struct addrselect_wish *wish, const struct address *address)
{
	size_t i;

	for (i = 0; i < wish->nsubnets; i++) {
		if (prefix_contains(&wish->subnets[i], address))
			return true;
	}
	return wish->nsubnets == 0;
}

/* What is chosen from when addresses are wished for. */
struct selection {
	const struct addrselect_facts *facts;
	const struct addrselect_wish *wish;
	unsigned near; /* the link of the broker's connection; 0: none */
	unsigned skip; /* a link that does not count; 0: none */
};

/* Where an interface stands: in the order of the wish; else what is near first, as there may be more than a message holds. ranks(): it is not wanted. */
static size_t rank_of(const struct selection *selection, const struct addrselect_link *link)
{
	const struct addrselect_wish *wish = selection->wish;
	size_t i;

	if (wish->ninterfaces == 0 && !wish->all)
		return 0;
	if (wish->ninterfaces == 0)
		return link->index == selection->near ? 0 : link->index == selection->facts->default_link ? 1 : 2;
	for (i = 0; i < wish->ninterfaces; i++) {
		if (strcmp(wish->interfaces[i], link->name) == 0)
			break;
	}
	return i;
}

static size_t ranks(const struct addrselect_wish *wish)
{
	if (wish->ninterfaces > 0)
		return wish->ninterfaces;
	return wish->all ? 3 : 1;
}

static bool wanted(const struct selection *selection, const struct addrselect_address *address, uint8_t family, size_t rank)
{
	return address->address.family == family && candidate(selection->facts, address) && address->link != selection->skip &&
	       in_subnets(selection->wish, &address->address) && rank_of(selection, link_find(selection->facts, address->link)) == rank;
}

/* Whether its link has a wanted address of the same family that is not a lesser one. */
static bool outranked(const struct selection *selection, const struct addrselect_address *address, size_t rank)
{
	size_t i;

	for (i = 0; address->lesser && address->address.family == 6 && i < selection->facts->naddresses; i++) {
		const struct addrselect_address *other = &selection->facts->addresses[i];

		if (other->link == address->link && !other->lesser && wanted(selection, other, 6, rank))
			return true;
	}
	return false;
}

/* The smallest wanted address that is not chosen yet, so that the kernel's order does not matter. */
static const struct address *next_wanted(const struct selection *selection, uint8_t family, size_t rank, const struct choice *choice)
{
	const struct addrselect_address *lesser = NULL; /* the last one that was looked at */
	const struct address *next = NULL;
	bool above = false;
	size_t i;

	for (i = 0; i < selection->facts->naddresses; i++) {
		const struct addrselect_address *address = &selection->facts->addresses[i];

		if (!wanted(selection, address, family, rank) || choice_has(choice, &address->address) ||
		    (next != NULL && address_compare(&address->address, next) >= 0))
			continue;
		/* It is the same for all lesser ones of a link, which the kernel tells of together: who has thousands must not cost their square. */
		if (address->lesser && (lesser == NULL || lesser->link != address->link)) {
			lesser = address;
			above = outranked(selection, address, rank);
		}
		if (!address->lesser || !above)
			next = &address->address;
	}
	return next;
}

static void choose_wished(const struct selection *selection, struct choice *choice)
{
	static const uint8_t families[] = {4, 6};
	const struct address *next;
	size_t i, rank;

	for (i = 0; i < 2; i++) {
		for (rank = 0; rank < ranks(selection->wish); rank++) {
			while (choice->count < choice->room && (next = next_wanted(selection, families[i], rank, choice)) != NULL)
				choice_add(choice, next);
		}
	}
}

static const struct addrselect_address *owner(const struct addrselect_facts *facts, const struct address *address)
{
	size_t i;

	for (i = 0; i < facts->naddresses; i++) {
		if (address_equal(&facts->addresses[i].address, address))
			return &facts->addresses[i];
	}
	return NULL;
}

bool addrselect_has(const struct addrselect_facts *facts, const struct address *address)
{
	return owner(facts, address) != NULL;
}

/* connection is NULL for both families' best. A lesser one of the connection's own gives way to a better. */
static void choose_on_link(const struct addrselect_facts *facts, unsigned link,
                           const struct addrselect_address *connection, struct choice *choice)
{
	static const uint8_t families[] = {4, 6};
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct addrselect_address *best = best_on(facts, link, families[i]);
		bool own = connection != NULL && connection->address.family == families[i] && candidate(facts, connection);

		if (own && (best == NULL || best->lesser || !connection->lesser || families[i] == 4))
			best = connection;
		if (best != NULL)
			choice_add(choice, &best->address);
	}
}

/*
 * Docker gives a container on an overlay network (Swarm) a second interface, on docker_gwbridge, for its way out of the host. The default route is there, and so
 * the broker's connection; but it is on that bridge with every container of every overlay on this host, who may not talk to each other over it, and on other
 * hosts it is nothing. What tells the two apart within the container: the other ends of the two cables are in different network namespaces (an overlay
 * has one of its own), and the overlay's packets are smaller by what VXLAN puts around them. NULL: link is none such, or there is no overlay.
 */
static const struct addrselect_link *overlay_beside(const struct addrselect_facts *facts, const struct addrselect_link *link)
{
	const struct addrselect_link *overlay = NULL;
	size_t i;

	if (link == NULL || link->index != facts->default_link || link->far_end == ADDRSELECT_NO_FAR_END)
		return NULL;
	for (i = 0; i < facts->nlinks; i++) {
		const struct addrselect_link *other = &facts->links[i];

		if (!other->up || other->far_end == ADDRSELECT_NO_FAR_END || other->far_end == link->far_end || other->mtu >= link->mtu ||
		    best_on(facts, other->index, 4) == NULL)
			continue;
		if (overlay == NULL || other->index < overlay->index)
			overlay = other;
	}
	return overlay;
}

static void choose_default(const struct addrselect_facts *facts, const struct address *connection,
                           struct choice *choice)
{
	const struct addrselect_address *own = owner(facts, connection);
	const struct addrselect_link *link = own != NULL ? link_find(facts, own->link) : NULL, *overlay;
	bool local = address_unusable(connection) != NULL; /* loopback, as a rule: a broker on this very machine */

	if (local)
		link = link_find(facts, facts->default_link);
	overlay = overlay_beside(facts, link);
	if (overlay != NULL)
		choose_on_link(facts, overlay->index, NULL, choice);
	else if (link != NULL)
		choose_on_link(facts, link->index, local ? NULL : own, choice);
	else if (!local)
		choice_add(choice, connection);
}

static void choose(const struct addrselect_facts *facts, const struct addrselect_wish *wish, const struct address *connection, struct choice *choice)
{
	const struct addrselect_address *own = connection != NULL ? owner(facts, connection) : NULL;
	struct selection selection = {.facts = facts, .wish = wish, .near = own != NULL ? own->link : 0};

	if (!wish->all && wish->ninterfaces == 0 && wish->nsubnets == 0) {
		if (connection != NULL)
			choose_default(facts, connection, choice);
		return;
	}
	if (wish->all && wish->ninterfaces == 0 && overlay_beside(facts, link_find(facts, facts->default_link)) != NULL)
		selection.skip = facts->default_link;
	choose_wished(&selection, choice);
}

unsigned addrselect(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                    const struct address *connection, struct address out[ANNOUNCEMENT_ADDRESSES_MAX])
{
	struct choice choice = {.room = ANNOUNCEMENT_ADDRESSES_MAX, .list = out};

	choose(facts, wish, connection, &choice);
	return choice.count;
}

unsigned addrselect_beyond(const struct addrselect_facts *facts, const struct addrselect_wish *wish, const struct address *connection,
                           struct address out[ADDRSELECT_BEYOND_MAX])
{
	struct address list[ANNOUNCEMENT_ADDRESSES_MAX + ADDRSELECT_BEYOND_MAX];
	struct choice choice = {.room = sizeof(list) / sizeof(list[0]), .list = list};

	choose(facts, wish, connection, &choice);
	if (choice.count <= ANNOUNCEMENT_ADDRESSES_MAX)
		return 0;
	memcpy(out, list + ANNOUNCEMENT_ADDRESSES_MAX, (choice.count - ANNOUNCEMENT_ADDRESSES_MAX) * sizeof(*out));
	return choice.count - ANNOUNCEMENT_ADDRESSES_MAX;
}
