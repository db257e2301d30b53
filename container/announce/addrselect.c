#include <config.h>

#include "addrselect.h"

#include <string.h>

struct choice {
	unsigned count;
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
	if (choice->count < ANNOUNCEMENT_ADDRESSES_MAX && !choice_has(choice, address))
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

/* Where an interface stands in the wish; ninterfaces if it is not in it. */
static size_t interface_rank(const struct addrselect_wish *wish, const char *name)
{
	size_t i;

	for (i = 0; i < wish->ninterfaces; i++) {
		if (strcmp(wish->interfaces[i], name) == 0)
			break;
	}
	return i;
}

static bool wanted(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                   const struct addrselect_address *address, uint8_t family, size_t rank)
{
	return address->address.family == family && candidate(facts, address) && in_subnets(wish, &address->address) &&
	       (wish->ninterfaces == 0 || interface_rank(wish, link_find(facts, address->link)->name) == rank);
}

/* Whether its link has a wanted address of the same family that is not a lesser one. */
static bool outranked(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                      const struct addrselect_address *address, size_t rank)
{
	size_t i;

	for (i = 0; address->lesser && address->address.family == 6 && i < facts->naddresses; i++) {
		const struct addrselect_address *other = &facts->addresses[i];

		if (other->link == address->link && !other->lesser && wanted(facts, wish, other, 6, rank))
			return true;
	}
	return false;
}

/* The smallest wanted address that is not chosen yet, so that the kernel's order does not matter. */
static const struct address *next_wanted(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                                         uint8_t family, size_t rank, const struct choice *choice)
{
	const struct address *next = NULL;
	size_t i;

	for (i = 0; i < facts->naddresses; i++) {
		const struct addrselect_address *address = &facts->addresses[i];

		if (!wanted(facts, wish, address, family, rank) || outranked(facts, wish, address, rank) ||
		    choice_has(choice, &address->address))
			continue;
		if (next == NULL || address_compare(&address->address, next) < 0)
			next = &address->address;
	}
	return next;
}

static void choose_wished(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                          struct choice *choice)
{
	static const uint8_t families[] = {4, 6};
	size_t ranks = wish->ninterfaces > 0 ? wish->ninterfaces : 1;
	const struct address *next;
	size_t i, rank;

	for (i = 0; i < 2; i++) {
		for (rank = 0; rank < ranks; rank++) {
			while (choice->count < ANNOUNCEMENT_ADDRESSES_MAX &&
			       (next = next_wanted(facts, wish, families[i], rank, choice)) != NULL)
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

static void choose_default(const struct addrselect_facts *facts, const struct address *connection,
                           struct choice *choice)
{
	const struct addrselect_address *own = owner(facts, connection);
	const struct addrselect_link *link = own != NULL ? link_find(facts, own->link) : NULL;

	if (address_unusable(connection) != NULL) /* loopback, as a rule: a broker on this very machine */
		choose_on_link(facts, facts->default_link, NULL, choice);
	else if (link != NULL)
		choose_on_link(facts, link->index, own, choice);
	else
		choice_add(choice, connection);
}

unsigned addrselect(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                    const struct address *connection, struct address out[ANNOUNCEMENT_ADDRESSES_MAX])
{
	struct choice choice = {.count = 0, .list = out};

	if (wish->ninterfaces > 0 || wish->nsubnets > 0)
		choose_wished(facts, wish, &choice);
	else if (connection != NULL)
		choose_default(facts, connection, &choice);
	return choice.count;
}
