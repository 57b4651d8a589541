# Fuzz targets: each NAME_fuzz.c is a program with libFuzzer's entry point, LLVMFuzzerTestOneInput(). Three ways to
# build them:
#
#   libFuzzer   make fuzz TARGET=json SECONDS=600, with clang, in B/fuzz-clang: grows a corpus in B/fuzz/json/corpus and
#               leaves what fails in B/fuzz/json/ as crash-*, timeout-*, leak-*. JOBS=2 runs two processes.
#   replay      B/fuzz-gcc/fuzz/json_fuzz FILE..., with gcc and fuzz/replay_main.c, which gives it files or folders of
#               files.
#   AFL++       make B=build/afl debug_defconfig, then make B=build/afl CC=afl-clang-fast CXX=afl-clang-fast++ FUZZER=y
#               fuzz-programs, then afl-fuzz -i fuzz/corpus/json -o DIRECTORY build/afl/fuzz/json_fuzz.
#
# All are built with ASan and UBSan. fuzz/corpus/NAME/ holds hand-picked inputs, each for a path of its own, and every
# input that once failed (find-*); fuzz/dictionary/NAME holds words for libFuzzer and AFL++. `make fuzz-smoke`, which
# `make test` runs with a number of inputs, replays the corpora under gcc and, where there is clang, fuzzes each target.
#
# A new target is a file here, a line below and at least one input in its corpus.
fuzz-y += http_request_fuzz.o http_response_fuzz.o chunked_fuzz.o sse_fuzz.o
fuzz-y += multipart_fuzz.o
fuzz-y += event_stream_fuzz.o
fuzz-y += json_fuzz.o openai_fuzz.o openai_scan_fuzz.o embeddings_fuzz.o
fuzz-$(CONFIG_ANTHROPIC) += chat_fuzz.o
fuzz-y += config_fuzz.o zone_fuzz.o
fuzz-y += receipt_fuzz.o journal_fuzz.o rows_fuzz.o tenant_fuzz.o
fuzz-y += caller_fuzz.o http_answer_fuzz.o endpoint_fuzz.o
fuzz-tls-$(CONFIG_TLS) := tls_hello_fuzz.o tls_identity_fuzz.o tls_session_fuzz.o
fuzz-y += $(fuzz-tls-y)
fuzz-y += replay_main.o json_reference.o

$B/fuzz/json_fuzz: $B/fuzz/json_reference.o
$B/fuzz/http_answer_fuzz: $B/tools/http_answer.o
$B/fuzz/tls_session_fuzz: $B/tls/tests/authority.o
