/*
 * multipart/form-data (RFC 7578 over RFC 2046, section 5.1): a form's parts, read from a whole body and written anew.
 * It is read strictly, because a provider that reads more leniently than the gateway would see another form: lines end
 * in CRLF, nothing stands before the first part or behind the last, and each part has one name. Pure; slices
 * point into the body.
 */
#ifndef PROTO_MULTIPART_H
#define PROTO_MULTIPART_H

#include "core/text.h"

enum { MULTIPART_PARTS_MAX = 24, MULTIPART_BOUNDARY_BYTES_MAX = 70, MULTIPART_HEAD_BYTES_MAX = 2048 };

struct multipart_part {
	struct slice name;
	struct slice filename; /* NULL data: a field; as quoted */
	struct slice type;     /* NULL data: not told */
	struct slice content;
};

struct multipart {
	struct slice boundary, body;
	size_t at;
	unsigned count;      /* of parts that were read */
	const char *problem; /* static: what was expected at `at` */
};

/* The boundary of a Content-Type. False when it is no multipart/form-data, or its boundary is not one. */
bool multipart_boundary(struct slice content_type, struct slice *boundary);

void multipart_init(struct multipart *m, struct slice boundary, struct slice body);

/* 1: a part; 0: there are no more; -EINVAL: see m->problem and m->at. */
int multipart_next(struct multipart *m, struct multipart_part *part);

/* The same of its head alone: its content begins at m->at. For a body of which the beginning is there. */
int multipart_next_head(struct multipart *m, struct multipart_part *part);

/*
 * A part's content that comes in pieces. What looks like the boundary's beginning is held until it is known what it is.
 * That a boundary does not follow the head at once is the caller's to look at.
 */
struct multipart_content {
	char delimiter[4 + MULTIPART_BOUNDARY_BYTES_MAX];
	size_t size, matched;
};

enum multipart_content_result {
	MULTIPART_CONTENT_MORE,  /* *data is used up */
	MULTIPART_CONTENT_PIECE, /* *piece: of *data, or of the scanner, until the next call */
	MULTIPART_CONTENT_END,   /* *data is what follows CRLF, two dashes and the boundary */
};

void multipart_content_init(struct multipart_content *c, struct slice boundary);
enum multipart_content_result multipart_content_next(
	struct multipart_content *c, struct slice *data, struct slice *piece);

/* All that stands before a part's content, and behind the last one's. */
void multipart_write_head(struct text *t, struct slice boundary, const struct multipart_part *part, bool first);
void multipart_write_end(struct text *t, struct slice boundary);

/* The Content-Type that names the boundary. */
void multipart_write_type(struct text *t, struct slice boundary);

#endif
