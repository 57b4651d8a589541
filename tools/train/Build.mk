# Trains the score of `auto`: make train DATA=FILE.
train-y += main.o samples.o fit.o measure.o header.o
test-y += weights_test
weights_test-y := samples.o
