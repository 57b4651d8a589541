fuzz-y += json_fuzz.o sse_fuzz.o
