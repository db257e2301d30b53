#ifndef CALLSIGN_SHA256_H
#define CALLSIGN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

/*
 * SHA-256 (FIPS 180-4, section 6.2) of length bytes. For what is short and public: it takes no care to be fast or to take the same time. OpenSSL has
 * one too, but an emitter without TLS links none; the kernel's (AF_ALG) is closed to containers by Docker's default seccomp profile since 29.4.2.
 */
void sha256(const void *data, size_t length, uint8_t out[SHA256_SIZE]);

#endif
