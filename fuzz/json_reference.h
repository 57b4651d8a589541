/* What simdjson itself makes of a document, for the view to be held to, which has a second stage of its own. */
#ifndef FUZZ_JSON_REFERENCE_H
#define FUZZ_JSON_REFERENCE_H

#include "proto/json/json.h"

/*
 * Ends the program where simdjson and the view, which is of this document or (`good` false) refused it, do not agree:
 * on whether it is a document, on its shape, on any string or number. A number that simdjson does not hold says
 * nothing. BUFFER_PADDING_BYTES follow the document.
 */
void json_reference_check(const struct json_parser *p, struct slice document, bool good);

#endif
