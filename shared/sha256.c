#include <config.h>

#include "sha256.h"

#include <string.h>

#define BLOCK 64 /* bytes */

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section 4.2.2). */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Of the square roots of the first eight (section 5.3.3). */
static const uint32_t beginning[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t right(uint32_t word, unsigned bits)
{
	return word >> bits | word << (32 - bits);
}

static uint32_t read_word(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_word(uint32_t word, uint8_t *at)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(word >> (24 - 8 * i));
}

/* Section 6.2.2, step 1. */
static void schedule(const uint8_t block[BLOCK], uint32_t w[64])
{
	for (unsigned i = 0; i < 16; i++)
		w[i] = read_word(block + (size_t)4 * i);
	for (unsigned i = 16; i < 64; i++)
		w[i] = (right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10) + w[i - 7] +
		       (right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 16];
}

/* Steps 2 to 4. */
static void take_block(uint32_t hash[8], const uint8_t block[BLOCK])
{
	uint32_t w[64], v[8];

	schedule(block, w);
	memcpy(v, hash, sizeof(v));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t one = v[7] + (right(v[4], 6) ^ right(v[4], 11) ^ right(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
			       constants[i] + w[i];
		uint32_t two = (right(v[0], 2) ^ right(v[0], 13) ^ right(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += one;
		v[0] = one + two;
	}
	for (unsigned i = 0; i < 8; i++)
		hash[i] += v[i];
}

void sha256(const void *data, size_t length, uint8_t out[SHA256_SIZE])
{
	uint64_t bits = (uint64_t)length * 8;
	const uint8_t *at = data;
	uint8_t block[BLOCK];
	uint32_t hash[8];

	memcpy(hash, beginning, sizeof(hash));
	for (; length >= BLOCK; at += BLOCK, length -= BLOCK)
		take_block(hash, at);
	/* The rest, a bit that is set, zeros, and the length (section 5.1.1): one block more, or two. */
	memset(block, 0, sizeof(block));
	if (length > 0)
		memcpy(block, at, length);
	block[length] = 0x80;
	if (length >= BLOCK - sizeof(bits)) {
		take_block(hash, block);
		memset(block, 0, sizeof(block));
	}
	write_word((uint32_t)(bits >> 32), block + BLOCK - 8);
	write_word((uint32_t)bits, block + BLOCK - 4);
	take_block(hash, block);
	for (unsigned i = 0; i < 8; i++)
		write_word(hash[i], out + (size_t)4 * i);
}
