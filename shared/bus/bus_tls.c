#include <config.h>

#include "bus_tls.h"

#ifdef WITH_TLS

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/address.h"

/* Where systems keep their trusted certificates: a static emitter carries no OpenSSL directory with it. */
static const char *const ca_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",                            /* openSUSE */
	"/etc/ssl/cert.pem",                                 /* Alpine, BSD */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL */
};

void bus_tls_begin(void)
{
	/* It fails only where all of OpenSSL does, and then the login says so. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* The verification error of this thread's last handshake; librabbitmq keeps the SSL object that could tell to itself. */
static __thread int verify_error;

static int bus_tls_remember(int ok, X509_STORE_CTX *store)
{
	if (!ok)
		verify_error = X509_STORE_CTX_get_error(store);
	return ok;
}

/* What the system trusts. Where nothing can be loaded nothing is trusted. */
static void bus_tls_trust_system(SSL_CTX *context)
{
	for (size_t i = 0; i < sizeof ca_bundles / sizeof *ca_bundles; i++) {
		if (access(ca_bundles[i], R_OK) == 0 && SSL_CTX_load_verify_locations(context, ca_bundles[i], NULL) == 1)
			return;
	}
	(void)SSL_CTX_set_default_verify_paths(context);
}

/*
 * A bundle has some 140 certificates, for which OpenSSL takes 0.8 MB. Loaded in the middle of the handshake they come after nearly all that it
 * keeps as long as the connection lasts. Loaded before, they would leave holes with some of that in between: 0.4 MB that nobody can give back.
 */
static int bus_tls_verify(X509_STORE_CTX *store, void *context)
{
	/* The handshake would take an error for its own, also that of a bundle in whose place another one was loaded. */
	ERR_set_mark();
	bus_tls_trust_system(context);
	ERR_pop_to_mark();
	/* What goes wrong in it (below 0) is no success, either, which OpenSSL sees to only where it calls it itself. */
	return X509_verify_cert(store) == 1;
}

static int bus_tls_trust(SSL_CTX *context, const struct bus_tls *tls, char *error, size_t size)
{
	if (tls->ca == NULL) {
		SSL_CTX_set_cert_verify_callback(context, bus_tls_verify, context);
		return 0;
	}
	if (SSL_CTX_load_verify_locations(context, tls->ca, NULL) == 1)
		return 0;
	snprintf(error, size, "tls ca %s cannot be read as PEM certificates", tls->ca);
	return -1;
}

static int bus_tls_expect(SSL_CTX *context, const char *name, char *error, size_t size)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
	struct address address;
	int done;

	if (address_parse(name, strlen(name), &address) == 0) {
		done = X509_VERIFY_PARAM_set1_ip(param, address.bytes, address.family == 4 ? 4 : 16);
	} else {
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		done = X509_VERIFY_PARAM_set1_host(param, name, 0);
	}
	if (done == 1)
		return 0;
	snprintf(error, size, "cannot verify the server name");
	return -1;
}

static int bus_tls_present(SSL_CTX *context, const struct bus_tls *tls, char *error, size_t size)
{
	if (tls->cert == NULL)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(context, tls->cert) != 1) {
		snprintf(error, size, "tls cert %s cannot be read as a PEM certificate", tls->cert);
		return -1;
	}
	if (SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1) {
		snprintf(error, size, "tls key %s cannot be read, or does not belong to the certificate", tls->key);
		return -1;
	}
	return 0;
}

int bus_tls_prepare(void *ssl_ctx, const struct bus_tls *tls, const char *host, char *error, size_t size)
{
	SSL_CTX *context = ssl_ctx;

	verify_error = X509_V_OK;
	ERR_clear_error();
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
		snprintf(error, size, "this OpenSSL has no TLS 1.2");
		return -1;
	}
	/* Renegotiation (TLS 1.2 only) would verify again, with what bus_tls_settle() has given away by then. */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	/* A connection that says little for months need not hold on to 16 kB for each direction. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (bus_tls_present(context, tls, error, size) == -1)
		return -1;
	if (!tls->verify) {
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (bus_tls_trust(context, tls, error, size) == -1 ||
	    bus_tls_expect(context, tls->server_name != NULL ? tls->server_name : host, error, size) == -1)
		return -1;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, bus_tls_remember);
	return 0;
}

static void bus_tls_seen(int write, int version, int type, const void *bytes, size_t length, SSL *ssl, void *arg)
{
	(void)write;
	(void)version;
	(void)type;
	(void)bytes;
	(void)length;
	*(void **)arg = ssl;
}

void bus_tls_watch(void *ssl_ctx, void **ssl)
{
	SSL_CTX_set_msg_callback(ssl_ctx, bus_tls_seen);
	SSL_CTX_set_msg_callback_arg(ssl_ctx, ssl);
}

void bus_tls_unwatch(void *ssl)
{
	SSL_set_msg_callback(ssl, NULL);
}

ssize_t bus_tls_read(void *ssl, void *to, size_t size)
{
	int got;

	ERR_clear_error();
	errno = 0;
	got = SSL_read(ssl, to, size < INT_MAX ? (int)size : INT_MAX);
	if (got > 0)
		return got;
	switch (SSL_get_error(ssl, got)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_SYSCALL:
		/* The socket's end, without a word of TLS's: RabbitMQ's way when it is killed. */
		return errno == 0 ? 0 : -1;
	default:
		if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return 0;
		errno = 0;
		return -1;
	}
}

uint64_t bus_tls_transported(void *ssl)
{
	return BIO_number_read(SSL_get_rbio(ssl));
}

bool bus_tls_holds(const void *ssl)
{
	return SSL_has_pending(ssl) == 1;
}

void bus_tls_settle(void *ssl_ctx)
{
	X509_STORE *none = X509_STORE_new();

	if (none != NULL)
		SSL_CTX_set_cert_store(ssl_ctx, none);
}

struct advice {
	int error;
	const char *text;
};

static const char *bus_tls_advice(const struct advice *advice, int error)
{
	while (advice->text != NULL && advice->error != error)
		advice++;
	return advice->text;
}

/* A certificate that did not pass: what the configuration, or the broker's keeper, can do about it. */
static const struct advice verify_advice[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "renew it (or is this machine's clock wrong?)"},
	{X509_V_ERR_CERT_NOT_YET_VALID, "is this machine's clock wrong?"},
	{X509_V_ERR_HOSTNAME_MISMATCH, "set tls server_name to a name that it has"},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, "set tls server_name to a name that it has"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "set tls ca to it, if it is the broker's own"},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "set tls ca to the CA that signed it"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "set tls ca to the CA that signed it"},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "set tls ca to the CA that signed it"},
	{X509_V_ERR_INVALID_PURPOSE, "it is not made for servers (extendedKeyUsage serverAuth)"},
	{0, NULL},
};

/* The other side's alerts, and answers that are no TLS. */
static const struct advice handshake_advice[] = {
	{SSL_R_WRONG_VERSION_NUMBER, "it does not speak TLS: use amqp://, or its TLS port"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "enable TLS 1.2 or newer on the broker"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "enable TLS 1.2 or newer on the broker"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "it asks for a client certificate: set tls cert and key"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "does it ask for a client certificate? Then set tls cert and key"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the broker does not know the CA of our tls cert"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the broker does not accept our tls cert"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our tls cert has expired"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the broker does not accept our tls cert"},
	{SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "our tls cert is not made for clients (extendedKeyUsage clientAuth)"},
	{0, NULL},
};

const char *bus_tls_version(void)
{
	static char version[32];

	/* "OpenSSL 3.0.17 1 Jul 2025" */
	if (sscanf(OpenSSL_version(OPENSSL_VERSION), "%*s %31s", version) != 1)
		snprintf(version, sizeof version, "unknown");
	return version;
}

const char *bus_tls_failure(const char *otherwise, char *out, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
	const char *advice;

	if (verify_error != X509_V_OK) {
		advice = bus_tls_advice(verify_advice, verify_error);
		snprintf(out, size, "the certificate is not accepted: %s%s%s", X509_verify_cert_error_string(verify_error),
		         advice != NULL ? ": " : "", advice != NULL ? advice : "");
	} else if (reason != NULL) {
		advice = ERR_GET_LIB(code) == ERR_LIB_SSL ? bus_tls_advice(handshake_advice, ERR_GET_REASON(code)) : NULL;
		snprintf(out, size, "%s%s%s", reason, advice != NULL ? ": " : "", advice != NULL ? advice : "");
	} else {
		snprintf(out, size, "%s", otherwise);
	}
	return out;
}

#else

/* ISO C wants something in every file. */
typedef int bus_tls_not_built;

#endif
