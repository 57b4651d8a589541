/*
 * How far two answers agree, from their words alone: Dice's coefficient (Dice, 1945) over the bag of words and the bag
 * of pairs of neighbouring words, both in small letters, each pair and word as often as both have it. 1000: the same
 * words in the same order, whatever stands between them; 0: not a word in common. Of long answers the beginnings count.
 * It says nothing of who is right. Pure, and the same on every machine.
 */
#ifndef ROUTE_AGREEMENT_H
#define ROUTE_AGREEMENT_H

#include "core/slice.h"

enum { AGREEMENT_BYTES_MAX = 16384, AGREEMENT_MUCH_PERMILLE = 800 };

unsigned agreement_permille(struct slice a, struct slice b);

#endif
