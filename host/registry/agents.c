#include <config.h>

#include "agents.h"

#include <stdlib.h>
#include <string.h>

static struct agents_entry *find(const struct agents *agents, const char *text)
{
	struct agents_entry *unused = NULL;

	for (size_t i = 0; i < AGENTS_MAX; i++) {
		struct agents_entry *entry = &agents->entries[i];

		if (entry->text != NULL && strcmp(entry->text, text) == 0)
			return entry;
		if (entry->text == NULL && unused == NULL)
			unused = entry;
	}
	return unused;
}

uint8_t agents_take(struct agents *agents, const char *text)
{
	struct agents_entry *entry;

	if (text[0] == '\0')
		return 0;
	if (agents->entries == NULL && (agents->entries = calloc(AGENTS_MAX, sizeof *agents->entries)) == NULL)
		return 0;
	entry = find(agents, text);
	if (entry == NULL)
		return 0;
	if (entry->text == NULL && (entry->text = strdup(text)) == NULL)
		return 0;
	entry->uses++;
	return (uint8_t)(entry - agents->entries + 1);
}

void agents_drop(struct agents *agents, uint8_t number)
{
	struct agents_entry *entry;

	if (number == 0)
		return;
	entry = &agents->entries[number - 1];
	if (--entry->uses > 0)
		return;
	free(entry->text);
	entry->text = NULL;
}

const char *agents_text(const struct agents *agents, uint8_t number)
{
	return number == 0 ? NULL : agents->entries[number - 1].text;
}

void agents_free(struct agents *agents)
{
	for (size_t i = 0; agents->entries != NULL && i < AGENTS_MAX; i++)
		free(agents->entries[i].text);
	free(agents->entries);
	agents->entries = NULL;
}
