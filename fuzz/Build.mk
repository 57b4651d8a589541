fuzz-y += json_fuzz.o sse_fuzz.o openai_scan_fuzz.o
