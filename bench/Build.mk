# The load generator. It brings its own connections, so that it measures nothing of ours but the server.
loadgen-y += loadgen/main.o loadgen/options.o loadgen/run.o loadgen/response.o loadgen/latency.o loadgen/report.o

# Receipts by the million, through the library itself.
lookup-y += lookup/main.o lookup/fill.o lookup/ask.o lookup/cost.o

test-y += response_test latency_test
response_test-y := loadgen/response.o
latency_test-y := loadgen/latency.o
