#include <config.h>

#include "faultlog.h"

#include <string.h>

/* FNV-1a: the texts are ours and few. */
static uint64_t digest_of(const char *text)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (; *text != '\0'; text++)
		digest = (digest ^ (uint8_t)*text) * 0x100000001b3u;
	return digest != 0 ? digest : 1;
}

bool faultlog_wants(struct faultlog *faultlog, const char *text, int64_t now_ms)
{
	uint64_t digest = digest_of(text);
	unsigned i, oldest = 0;

	for (i = 0; i < FAULTLOG_ENTRIES; i++) {
		if (faultlog->entries[i].digest == digest)
			break;
		if (faultlog->entries[i].digest == 0 || (faultlog->entries[oldest].digest != 0 &&
		                                         faultlog->entries[i].logged_ms < faultlog->entries[oldest].logged_ms))
			oldest = i;
	}
	if (i < FAULTLOG_ENTRIES && now_ms - faultlog->entries[i].logged_ms < FAULTLOG_QUIET_MS)
		return false;
	if (i == FAULTLOG_ENTRIES)
		i = oldest;
	faultlog->entries[i].digest = digest;
	faultlog->entries[i].logged_ms = now_ms;
	return true;
}

void faultlog_reset(struct faultlog *faultlog)
{
	memset(faultlog, 0, sizeof(*faultlog));
}
