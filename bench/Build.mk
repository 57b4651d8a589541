# The load generator. It brings its own connections, so that it measures nothing of ours but the server; for TLS it takes the
# command line's (tools/Build.mk), and what counts then is the server's processor time.
loadgen-y += loadgen/main.o loadgen/options.o loadgen/run.o loadgen/response.o loadgen/latency.o loadgen/report.o

# Receipts by the million, through the library itself.
lookup-y += lookup/main.o lookup/fill.o lookup/ask.o lookup/cost.o

# Single steps of the library.
micro-y += micro/main.o micro/measure.o micro/passes.o micro/material.o
micro-y += micro/yardstick.o micro/json.o micro/chat.o micro/http.o micro/route.o micro/routing.o micro/receipt.o micro/sse.o micro/score.o

test-y += response_test latency_test passes_test
response_test-y := loadgen/response.o
latency_test-y := loadgen/latency.o
passes_test-y := micro/passes.o
