# The load generator. It brings its own connections, so that it measures nothing of ours but the server.
loadgen-y += loadgen/main.o loadgen/options.o loadgen/run.o loadgen/response.o loadgen/latency.o loadgen/report.o
