/*
 * Keys and certificates for gateways and providers, the same in every run of the program: made once, before the first
 * world, with chance of their own. They lie in files of memory, whose paths the gateway's configuration names.
 */
#ifndef FUZZ_SIM_CERTIFICATES_H
#define FUZZ_SIM_CERTIFICATES_H

#define CERTIFIED_GATE "gate.sim"
#define CERTIFIED_PROVIDER "provider.sim"

enum certificate_name {
	CERTIFICATE_GATE,      /* for CERTIFIED_GATE */
	CERTIFICATE_GATE_NEXT, /* what a reload brings: another key */
	CERTIFICATE_PROVIDER,  /* for CERTIFIED_PROVIDER */
	CERTIFICATE_STRANGER,  /* for another host */
	CERTIFICATE_NAMES
};

struct certificates;

struct certificates *certificates_make(void);
void certificates_free(struct certificates *certificates);

const char *certificates_issuer(const struct certificates *certificates);
const char *certificates_chain(const struct certificates *certificates, enum certificate_name name);
const char *certificates_key(const struct certificates *certificates, enum certificate_name name);

#endif
