/* Any JSON as an indented outline for people. */
#ifndef TOOLS_OUTLINE_H
#define TOOLS_OUTLINE_H

#include "proto/json/json.h"

#include <stdio.h>

void outline_print(const struct json_parser *p, json_ref container, FILE *to);

#endif
