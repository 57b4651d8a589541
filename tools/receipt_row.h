/* A receipt as a row of a table. */
#ifndef TOOLS_RECEIPT_ROW_H
#define TOOLS_RECEIPT_ROW_H

#include "proto/json/json.h"

#include <stdio.h>

void receipt_row_print_head(FILE *to);
void receipt_row_print(const struct json_parser *p, json_ref receipt, FILE *to);

#endif
