#include <config.h>

#include "rights_try.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

static const char *const right_words[RIGHTS] = {
	"configure", "write", "read", "topic callsign write", "topic callsign read", "topic callsign.will write", "topic callsign.will read"};

/* RabbitMQ's are PCRE, not anchored, and "" lets nothing through. false: this one cannot be told with POSIX's. */
static bool is_plain(const char *pattern)
{
	for (const char *at = pattern; *at != '\0'; at++) {
		if (*at == '\\' && ((at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z') || (at[1] >= '0' && at[1] <= '9')))
			return false;
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if ((*at == '(' && at[1] == '?') || (strchr("*+?}", *at) != NULL && at[1] != '\0' && strchr("+?", at[1]) != NULL))
			return false;
	}
	return true;
}

static bool lets_through(const struct rights_review *review, enum right right, const char *what)
{
	const char *pattern = review->pattern[right];
	regex_t compiled;
	bool match;

	if (pattern == NULL || pattern[0] == '\0')
		return pattern == NULL || what[0] == '\0';
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&compiled, what, 0, NULL, 0) == 0;
	regfree(&compiled);
	return match;
}

bool rights_have(const struct rights_review *review, enum right right, const char *what)
{
	return lets_through(review, right, what);
}

bool rights_can_judge(const struct rights_review *review)
{
	for (int right = 0; right < RIGHTS; right++) {
		const char *pattern = review->pattern[right];
		regex_t compiled;
		int error;

		if (pattern == NULL)
			continue;
		error = is_plain(pattern) ? regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) : REG_BADPAT;
		if (error == 0) {
			regfree(&compiled);
			continue;
		}
		snprintf(review->finding->unclear, sizeof review->finding->unclear, "%s %.100s is not understood here", right_words[right], pattern);
		return false;
	}
	return true;
}

static void note(const struct rights_review *review, char list[RIGHTS_LIST_SIZE], enum right right, const char *what)
{
	size_t used = strlen(list), shown = strlen(what);
	const char *session = strstr(what, RIGHTS_SESSION);

	review->finding->wrong |= right <= READ ? RIGHTS_WRONG_PERMISSIONS : right <= ANNOUNCE_READ ? RIGHTS_WRONG_ANNOUNCE : RIGHTS_WRONG_WILL;
	if (used >= 3 && strcmp(list + used - 3, "...") == 0)
		return;
	if (session != NULL)
		shown = (size_t)(session - what);
	if (used + strlen(right_words[right]) + shown + 10 < RIGHTS_LIST_SIZE)
		snprintf(list + used, RIGHTS_LIST_SIZE - used, "%s%s %.*s%s", used > 0 ? ", " : "", right_words[right], (int)shown, what,
		         session != NULL ? "*" : "");
	else
		snprintf(list + used, RIGHTS_LIST_SIZE - used, ", ...");
}

void rights_must(const struct rights_review *review, enum right right, const char *what)
{
	if (!lets_through(review, right, what))
		note(review, review->finding->few, right, what);
}

/* Without any topic permission every key is allowed: that is said once (must_have_topic), not key by key. */
void rights_must_not(const struct rights_review *review, enum right right, const char *what)
{
	if (review->pattern[right] != NULL && lets_through(review, right, what))
		note(review, review->finding->many, right, what);
}

/*
 * RabbitMQ 4.3 takes topic permissions away with their exchange, without a word: where somebody deleted it, and it was declared anew, every tenant
 * has none, and may announce any name.
 */
void rights_must_have_topic(const struct rights_review *review, enum right right, const char *exchange)
{
	char *many = review->finding->many;
	size_t used = strlen(many);

	if (review->pattern[right] != NULL)
		return;
	review->finding->wrong |= right <= ANNOUNCE_READ ? RIGHTS_WRONG_ANNOUNCE : RIGHTS_WRONG_WILL;
	snprintf(many + used, RIGHTS_LIST_SIZE - used, "%suse every key on %s: it has no topic permission there", used > 0 ? ", " : "", exchange);
}

/* A dot without its backslash lets every character through. Returns text. */
char *rights_undot(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if (*at == '.')
			*at = 'x';
	return text;
}
