/* Names of causes, and which of wolfSSL's errors are which. */
#include "tls/cause.h"

#include <assert.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

static const struct {
	const char *name, *text;
} causes[] = {
	[TLS_CAUSE_NONE] = {"none", "nothing failed"},
	[TLS_CAUSE_PLAIN_HTTP] = {"plain_http", "plain HTTP came to a port that speaks TLS"},
	[TLS_CAUSE_NOT_TLS] = {"not_tls", "what came is not TLS"},
	[TLS_CAUSE_VERSION] = {"version", "the peer offers no TLS version that is allowed"},
	[TLS_CAUSE_NOTHING_SHARED] = {"nothing_shared", "the peer offers no cipher, signature or protocol in common"},
	[TLS_CAUSE_EXPIRED] = {"expired", "the peer's certificate has expired"},
	[TLS_CAUSE_NOT_YET_VALID] = {"not_yet_valid", "the peer's certificate is not valid yet"},
	[TLS_CAUSE_WRONG_HOST] = {"wrong_host", "the peer's certificate is for another host"},
	[TLS_CAUSE_UNKNOWN_ISSUER] = {"unknown_issuer", "the peer's certificate was issued by nobody who is trusted"},
	[TLS_CAUSE_BAD_CERTIFICATE] = {"bad_certificate", "the peer's certificate cannot be accepted"},
	[TLS_CAUSE_NO_CERTIFICATE] = {"no_certificate", "the peer showed no certificate"},
	[TLS_CAUSE_REFUSED] = {"refused", "the peer refused the TLS handshake"},
	[TLS_CAUSE_CLOSED] = {"closed", "the peer closed the connection in the TLS handshake"},
	[TLS_CAUSE_PROTOCOL] = {"protocol", "the peer broke the TLS protocol"},
	[TLS_CAUSE_RATE] = {"rate", "more TLS handshakes came than the rate that is allowed"},
	[TLS_CAUSE_RATE_OF_IP] = {"rate_of_ip", "the address began more TLS handshakes than it may"},
	[TLS_CAUSE_MEMORY] = {"memory", "out of memory"},
};

const char *tls_cause_name(enum tls_cause cause)
{
	assert((unsigned)cause < TLS_CAUSE_COUNT);
	return causes[cause].name;
}

const char *tls_cause_text(enum tls_cause cause)
{
	assert((unsigned)cause < TLS_CAUSE_COUNT);
	return causes[cause].text;
}

enum tls_cause tls_cause_of(int error)
{
	switch (error) {
	case VERSION_ERROR:
		return TLS_CAUSE_VERSION;
	case MATCH_SUITE_ERROR:
	case UNKNOWN_ALPN_PROTOCOL_NAME_E:
	case NO_CERT_ERROR:
	case ECC_CURVE_ERROR:
		return TLS_CAUSE_NOTHING_SHARED;
	case ASN_AFTER_DATE_E:
		return TLS_CAUSE_EXPIRED;
	case ASN_BEFORE_DATE_E:
		return TLS_CAUSE_NOT_YET_VALID;
	case DOMAIN_NAME_MISMATCH:
	case IPADDR_MISMATCH:
		return TLS_CAUSE_WRONG_HOST;
	case ASN_NO_SIGNER_E:
	case ASN_SELF_SIGNED_E:
		return TLS_CAUSE_UNKNOWN_ISSUER;
	case NO_PEER_CERT:
		return TLS_CAUSE_NO_CERTIFICATE;
	case FATAL_ERROR:
		return TLS_CAUSE_REFUSED;
	case SOCKET_PEER_CLOSED_E:
		return TLS_CAUSE_CLOSED;
	case MEMORY_E:
	case MEMORY_ERROR:
		return TLS_CAUSE_MEMORY;
	case ASN_SIG_CONFIRM_E:
	case ASN_PATHLEN_SIZE_E:
	case ASN_PATHLEN_INV_E:
	case VERIFY_CERT_ERROR:
	case ASN_PARSE_E:
	case NO_PEER_VERIFY:
	case BAD_CERTIFICATE_STATUS_ERROR:
		return TLS_CAUSE_BAD_CERTIFICATE;
	default:
		return TLS_CAUSE_PROTOCOL;
	}
}
