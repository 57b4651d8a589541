/* See authority.h. P-256 throughout: a key costs microseconds. */
#include "tls/tests/authority.h"

#include "tls/entropy.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

enum { FILE_BYTES = 4096, PATHS = 8, DAYS = 30 };

struct authority {
	char *folder;
	unsigned path_count;
	char paths[PATHS][128];
	WC_RNG rng;
	ecc_key key;
	byte der[FILE_BYTES];
	int der_bytes;
};

const char *authority_path(struct authority *a, const char *name, const char *suffix)
{
	char *path = a->paths[a->path_count++ % PATHS];

	snprintf(path, sizeof(a->paths[0]), "%s/%s%s", a->folder, name, suffix);
	return path;
}

static void write_pem(
	struct authority *a, const char *name, const char *suffix, const byte *der, int der_bytes, int type)
{
	byte pem[FILE_BYTES];
	int bytes = wc_DerToPem(der, (word32)der_bytes, pem, sizeof(pem), type);
	FILE *file = fopen(authority_path(a, name, suffix), "w");

	assert(bytes > 0 && file);
	assert(fwrite(pem, 1, (size_t)bytes, file) == (size_t)bytes);
	fclose(file);
}

static int make(struct authority *a, const char *name, ecc_key *key, byte *der)
{
	Cert cert;
	int rc;

	assert(wc_InitCert(&cert) == 0);
	snprintf(cert.subject.commonName, sizeof(cert.subject.commonName), "%s", name);
	cert.sigType = CTC_SHA256wECDSA;
	cert.daysValid = DAYS;
	cert.isCA = key == &a->key;
	cert.selfSigned = key == &a->key;
	if (key != &a->key)
		assert(wc_SetIssuerBuffer(&cert, a->der, a->der_bytes) == 0);
	assert(wc_MakeCert(&cert, der, FILE_BYTES, NULL, key, &a->rng) > 0);
	rc = wc_SignCert(cert.bodySz, cert.sigType, der, FILE_BYTES, NULL, &a->key, &a->rng);
	assert(rc > 0);
	return rc;
}

struct authority *authority_open(void)
{
	struct authority *a = calloc(1, sizeof(*a));
	unsigned long long number;
	char name[32];

	assert(a);
	tls_entropy_set_up();
	a->folder = strdup("/tmp/tollgate-tls-XXXXXX");
	assert(a->folder && mkdtemp(a->folder));
	assert(wc_InitRng(&a->rng) == 0 && wc_ecc_init(&a->key) == 0);
	assert(wc_ecc_make_key(&a->rng, 32, &a->key) == 0);
	assert(wc_RNG_GenerateBlock(&a->rng, (byte *)&number, sizeof(number)) == 0);
	snprintf(name, sizeof(name), "issuer %llx", number); /* two issuers have two names */
	a->der_bytes = make(a, name, &a->key, a->der);
	write_pem(a, "issuer", ".pem", a->der, a->der_bytes, CERT_TYPE);
	return a;
}

void authority_issue(struct authority *a, const char *name)
{
	byte der[FILE_BYTES];
	ecc_key key;
	int bytes;

	assert(wc_ecc_init(&key) == 0 && wc_ecc_make_key(&a->rng, 32, &key) == 0);
	bytes = make(a, name, &key, der);
	write_pem(a, name, ".pem", der, bytes, CERT_TYPE);
	bytes = wc_EccKeyToDer(&key, der, sizeof(der));
	assert(bytes > 0);
	write_pem(a, name, ".key", der, bytes, ECC_PRIVATEKEY_TYPE);
	wc_ecc_free(&key);
}

void authority_close(struct authority *a)
{
	DIR *folder = opendir(a->folder);

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			unlink(authority_path(a, entry->d_name, ""));
	if (folder)
		closedir(folder);
	rmdir(a->folder);
	free(a->folder);
	wc_ecc_free(&a->key);
	wc_FreeRng(&a->rng);
	free(a);
}
