obj-y += gemini.o gemini_answer.o gemini_contents.o gemini_embeddings.o gemini_schema.o gemini_write.o
