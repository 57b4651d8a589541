/*
 * Says where and why a document is not JSON. Runs after the view has refused a document, so it is written for clear
 * answers and not for speed.
 */
#ifndef PROTO_JSON_ERROR_H
#define PROTO_JSON_ERROR_H

#include "proto/json/json.h"

/* 0 when the document is good JSON within our bounds; else -EINVAL, and error is filled in with the first fault. */
int json_explain(struct slice document, struct json_error *error);

/* Whether it is a number, all of it, and within the same bounds. */
bool json_is_number(struct slice number);

#endif
