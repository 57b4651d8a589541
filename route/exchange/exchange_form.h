/*
 * Forms between their parts: exchange_form.c reads, checks and writes them, exchange_upload.c passes on one that is
 * still coming.
 */
#ifndef ROUTE_EXCHANGE_FORM_H
#define ROUTE_EXCHANGE_FORM_H

#include "proto/http/multipart.h"
#include "route/exchange/exchange.h"

enum { FORM_FIELDS_BYTES_MAX = 65536 };

struct exchange_form {
	struct slice boundary;
	struct slice document; /* the fields as JSON, padded */
	const struct multipart_part *recording;
	uint64_t recording_bytes; /* of its content; of one that is still coming, at most */
	unsigned count;
	struct multipart_part parts[MULTIPART_PARTS_MAX + 1]; /* the last has room for one that is refused */
};

bool form_part_is_recording(const struct multipart_part *part);
bool form_part_is_ours(const struct multipart_part *part); /* told to the gateway alone */

/* Each refuses, and is false. */
bool form_refuse(struct exchange *e, struct slice code, struct slice message, struct slice param);
bool form_refuse_malformed(struct exchange *e, const struct multipart *m);
bool form_refuse_out_of_memory(struct exchange *e);
bool form_refuse_too_large(struct exchange *e);

/* form->document, of the parts that there are. False: refused. */
bool form_write_document(struct exchange *e, struct exchange_form *form);

#endif
