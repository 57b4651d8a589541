/* What providers' errors mean, by their dialect and not by their status alone: the tables of the dialects' rows. */
#ifndef ROUTE_DIALECT_ERRORS_H
#define ROUTE_DIALECT_ERRORS_H

#include "route/dialects/dialect.h"

extern const struct dialect_error dialect_errors_openai[], dialect_errors_anthropic[], dialect_errors_groq[],
	dialect_errors_mistral[], dialect_errors_cohere[];

#endif
