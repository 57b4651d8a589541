obj-y += api_error.o price.o keys.o key_match.o catalog.o
