/* What llhttp says, in our words: its errors as problems, its methods as ours. For http_parser.c. */
#ifndef PROTO_HTTP_LLHTTP_H
#define PROTO_HTTP_LLHTTP_H

#include "proto/http/http_parser.h"

/* llhttp's enumerators for methods have the names of ours. */
#define HTTP_DELETE LLHTTP_DELETE
#define HTTP_GET LLHTTP_GET
#define HTTP_HEAD LLHTTP_HEAD
#define HTTP_POST LLHTTP_POST
#define HTTP_PUT LLHTTP_PUT
#define HTTP_OPTIONS LLHTTP_OPTIONS
#define HTTP_PATCH LLHTTP_PATCH
#include <llhttp.h>
#undef HTTP_DELETE
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_OPTIONS
#undef HTTP_PATCH

/* The problem behind an error of llhttp_execute() on `llhttp`. */
void http_llhttp_problem(const llhttp_t *llhttp, enum llhttp_errno error, struct http_problem *problem);

enum http_method http_llhttp_method(const llhttp_t *llhttp);

#endif
