/*
 * AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"): what of a request is signed, the
 * credentials and a time become the value of its Authorization header. Pure; nothing is kept.
 */
#ifndef PROTO_SIGV4_H
#define PROTO_SIGV4_H

#include "core/text.h"

#include <stdint.h>
#include <sys/uio.h>

enum { SIGV4_TIME_BYTES = 16, SIGV4_DATE_BYTES = 8, SIGV4_HEX_BYTES = 64 };

struct sigv4_credentials {
	struct slice access_key_id, secret_access_key;
	struct slice region, service;
};

struct sigv4_header {
	struct slice name;  /* lower case */
	struct slice value; /* without white space at its ends */
};

struct sigv4_request {
	struct slice method;
	struct slice path;  /* as it is sent; without "." and ".." */
	struct slice query; /* as it is signed: names sorted, encoded, each with its "=" */
	const struct sigv4_header
		*headers; /* those that are signed, sorted by name; "host" and "x-amz-date" among them */
	unsigned header_count;
	struct slice time;      /* sigv4_time() */
	struct slice body_hash; /* sigv4_hash() */
};

/* 20150830T123600Z */
void sigv4_time(uint64_t wall_ns, char time[static SIGV4_TIME_BYTES]);

/* SHA-256 of the pieces, in hexadecimal. 0; -EIO when the library fails. */
int sigv4_hash(const struct iovec *pieces, unsigned count, char hex[static SIGV4_HEX_BYTES]);

/* In hexadecimal. 0; -EIO when the library fails. */
int sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
	char signature[static SIGV4_HEX_BYTES]);

/* Appends the header's value. 0; -EIO, and nothing is appended. */
int sigv4_authorization(
	const struct sigv4_request *request, const struct sigv4_credentials *credentials, struct text *value);

#endif
