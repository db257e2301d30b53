#include <config.h>

#include "rate.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define BUCKETS_FEW 64
#define TELL_EVERY_MS 1000

/* In thousandths of a message, so that a millisecond's share is a whole number. */
struct bucket {
	int64_t level, full;
	uint32_t per_s;
	int64_t filled_ms; /* when level was right */
	int64_t told_ms;
	UT_hash_handle hh;
	size_t length;
	char user[];
};

struct rates {
	struct bucket *buckets;
	size_t prune_at; /* look for full buckets when there are so many */
};

struct rates *rates_new(void)
{
	struct rates *rates = calloc(1, sizeof *rates);

	if (rates != NULL)
		rates->prune_at = BUCKETS_FEW;
	return rates;
}

static void bucket_fill(struct bucket *bucket, int64_t now_ms)
{
	int64_t missing = bucket->full - bucket->level;
	int64_t elapsed_ms = now_ms - bucket->filled_ms;

	bucket->filled_ms = now_ms;
	if (elapsed_ms <= 0)
		return;
	/* Divided, not multiplied: a long pause must not overflow. */
	if (elapsed_ms > missing / bucket->per_s)
		bucket->level = bucket->full;
	else
		bucket->level += elapsed_ms * bucket->per_s;
}

/* A full bucket is as good as none. */
static void rates_prune(struct rates *rates, int64_t now_ms)
{
	struct bucket *bucket, *next;

	HASH_ITER(hh, rates->buckets, bucket, next) {
		bucket_fill(bucket, now_ms);
		if (bucket->level < bucket->full)
			continue;
		HASH_DEL(rates->buckets, bucket);
		free(bucket);
	}
	rates->prune_at = HASH_COUNT(rates->buckets) * 2;
	if (rates->prune_at < BUCKETS_FEW)
		rates->prune_at = BUCKETS_FEW;
}

static struct bucket *bucket_new(struct rates *rates, const char *user, size_t length, const struct rate_limit *limit, int64_t now_ms)
{
	struct bucket *bucket;

	if (HASH_COUNT(rates->buckets) >= rates->prune_at)
		rates_prune(rates, now_ms);
	bucket = calloc(1, sizeof *bucket + length + 1);
	if (bucket == NULL)
		return NULL;
	bucket->length = length;
	if (length > 0)
		memcpy(bucket->user, user, length);
	bucket->level = (int64_t)limit->burst * 1000;
	bucket->filled_ms = now_ms;
	bucket->told_ms = now_ms - TELL_EVERY_MS;
	HASH_ADD_KEYPTR(hh, rates->buckets, bucket->user, bucket->length, bucket);
	return bucket;
}

static struct bucket *bucket_get(struct rates *rates, const char *user, size_t length, const struct rate_limit *limit, int64_t now_ms)
{
	struct bucket *bucket;

	HASH_FIND(hh, rates->buckets, length > 0 ? user : "", length, bucket);
	if (bucket == NULL)
		bucket = bucket_new(rates, user, length, limit, now_ms);
	if (bucket == NULL)
		return NULL;
	bucket->full = (int64_t)limit->burst * 1000;
	bucket->per_s = limit->per_s;
	if (bucket->level > bucket->full)
		bucket->level = bucket->full;
	return bucket;
}

enum rate_verdict rates_take(struct rates *rates, const char *user, size_t length, const struct rate_limit *limit, int64_t now_ms)
{
	struct bucket *bucket;

	if (limit->per_s == 0)
		return RATE_WITHIN;
	bucket = bucket_get(rates, user, length, limit, now_ms);
	if (bucket == NULL)
		return RATE_WITHIN;
	bucket_fill(bucket, now_ms);
	if (bucket->level >= 1000) {
		bucket->level -= 1000;
		return RATE_WITHIN;
	}
	if (now_ms < bucket->told_ms + TELL_EVERY_MS)
		return RATE_OVER;
	bucket->told_ms = now_ms;
	return RATE_OVER_TELL;
}

size_t rates_count(const struct rates *rates)
{
	return HASH_COUNT(rates->buckets);
}

void rates_free(struct rates *rates)
{
	struct bucket *bucket, *next;

	if (rates == NULL)
		return;
	HASH_ITER(hh, rates->buckets, bucket, next) {
		HASH_DEL(rates->buckets, bucket);
		free(bucket);
	}
	free(rates);
}
