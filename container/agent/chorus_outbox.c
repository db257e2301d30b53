#include <config.h>

#include "chorus_parts.h"

#include <stdlib.h>
#include <string.h>

struct outbox_entry {
	struct outbox_entry *next;
	struct parcel parcel;
	char text[]; /* key, a NUL, body */
};

int outbox_add(struct outbox *outbox, const struct parcel *parcel)
{
	size_t key_size = parcel->key != NULL ? strlen(parcel->key) + 1 : 0;
	struct outbox_entry *entry = malloc(sizeof(*entry) + key_size + parcel->length);

	if (entry == NULL)
		return -1;
	entry->next = NULL;
	entry->parcel = *parcel;
	if (key_size > 0) {
		memcpy(entry->text, parcel->key, key_size);
		memcpy(entry->text + key_size, parcel->body, parcel->length);
		entry->parcel.key = entry->text;
		entry->parcel.body = entry->text + key_size;
	}
	if (outbox->last != NULL)
		outbox->last->next = entry;
	else
		outbox->first = entry;
	outbox->last = entry;
	return 0;
}

bool outbox_first(const struct outbox *outbox, struct parcel *out)
{
	if (outbox->first == NULL)
		return false;
	*out = outbox->first->parcel;
	return true;
}

void outbox_drop_first(struct outbox *outbox)
{
	struct outbox_entry *first = outbox->first;

	outbox->first = first->next;
	if (outbox->first == NULL)
		outbox->last = NULL;
	free(first);
}

void outbox_clear(struct outbox *outbox)
{
	while (outbox->first != NULL)
		outbox_drop_first(outbox);
}
