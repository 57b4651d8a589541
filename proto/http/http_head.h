/*
 * Judges a head that llhttp took apart: that the bytes between its slices are exactly what RFC 9112 puts there (which
 * refuses folded lines, stray white space and HTTP/0.9 in one go), and what its fields mean for framing. For
 * http_parser.c.
 */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include "proto/http/http_parser.h"

/*
 * [start, end) is the whole head with its empty line; the slices of `head` lie in it. Trims values and fills in what
 * the fields say. False: *problem says why.
 */
bool http_head_judge_request(struct http_head *head, const char *start, const char *end, struct http_problem *problem);
bool http_head_judge_response(struct http_head *head, const char *start, const char *end, struct http_problem *problem);

#endif
