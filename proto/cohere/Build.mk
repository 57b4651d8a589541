obj-y += cohere_answer.o cohere_embed.o cohere_write.o
