mockllm-y += main.o connection.o request.o plan.o answer.o vectors.o stream.o record.o
