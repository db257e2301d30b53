#include <config.h>

#include "wholename.h"

#include <stdio.h>
#include <string.h>

/* The instance is known as K, and says K or K.SOMETHING: then it is K, whether SOMETHING is a domain still or was one when it came. */
static bool keeps(const char *known, const char *name)
{
	size_t length = known != NULL ? strlen(known) : 0;

	return known != NULL && strncmp(name, known, length) == 0 && (name[length] == '\0' || name[length] == '.');
}

static size_t cut_length(const struct policy *policy, const char *name)
{
	return policy_bare_length(policy, name, strlen(name), NULL);
}

bool wholename_any(const struct policy *policy, const char *known, const struct announcement *message)
{
	if (keeps(known, message->name) ? strcmp(known, message->name) != 0 : message->name[cut_length(policy, message->name)] != '\0')
		return true;
	for (unsigned i = 0; i < message->naliases; i++)
		if (message->aliases[i][cut_length(policy, message->aliases[i])] != '\0')
			return true;
	return false;
}

static bool is_there(const struct announcement *message, unsigned count, const char *alias)
{
	if (strcmp(message->name, alias) == 0)
		return true;
	for (unsigned i = 0; i < count; i++)
		if (strcmp(message->aliases[i], alias) == 0)
			return true;
	return false;
}

void wholename_cut(const struct policy *policy, const char *known, struct announcement *message)
{
	unsigned kept = 0;

	message->name[keeps(known, message->name) ? strlen(known) : cut_length(policy, message->name)] = '\0';
	for (unsigned i = 0; i < message->naliases; i++) {
		message->aliases[i][cut_length(policy, message->aliases[i])] = '\0';
		if (is_there(message, kept, message->aliases[i]))
			continue;
		if (kept != i)
			memcpy(message->aliases[kept], message->aliases[i], sizeof(message->aliases[i]));
		kept++;
	}
	message->naliases = kept;
}

static bool is_refused(const struct policy *policy, const char *user, const char *whole, char reason[POLICY_REASON_SIZE])
{
	char bare[HOSTNAME_NAME_SIZE];
	unsigned domain;
	size_t length = policy_bare_length(policy, whole, strlen(whole), &domain);

	if (whole[length] == '\0')
		return false;
	memcpy(bare, whole, length);
	bare[length] = '\0';
	if ((policy_name_domains(policy, user, bare) >> domain & 1) != 0)
		return false;
	snprintf(reason, POLICY_REASON_SIZE, "name %s: it is below the domain %s, which does not take %s from this user (serve)", whole,
	         policy->domains[domain].name, bare);
	return true;
}

const char *wholename_refuses(const struct policy *policy, const char *user, const char *known, const struct announcement *message,
                              char reason[POLICY_REASON_SIZE])
{
	if (!keeps(known, message->name) && is_refused(policy, user, message->name, reason))
		return reason;
	for (unsigned i = 0; i < message->naliases; i++)
		if (is_refused(policy, user, message->aliases[i], reason))
			return reason;
	return NULL;
}
