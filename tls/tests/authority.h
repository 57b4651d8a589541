/* An issuer of certificates for tests: PEM files in a temporary folder, valid for 30 days from the clock's now. */
#ifndef TLS_TESTS_AUTHORITY_H
#define TLS_TESTS_AUTHORITY_H

struct authority;

struct authority *authority_open(void);
void authority_close(struct authority *authority); /* removes the files */

/* The path of a file there, until the next eight calls. */
const char *authority_path(struct authority *authority, const char *name, const char *suffix);

/* NAME.pem and NAME.key, for that host, by the issuer, whose own is issuer.pem. */
void authority_issue(struct authority *authority, const char *name);

#endif
