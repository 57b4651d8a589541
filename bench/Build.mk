# The load generator. It brings its own connections, so that it measures nothing of ours but the server.
loadgen-y += loadgen/main.o loadgen/options.o loadgen/run.o loadgen/response.o loadgen/latency.o loadgen/report.o

test-y += response_test latency_test
response_test-y := loadgen/response.o
latency_test-y := loadgen/latency.o
