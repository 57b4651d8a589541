# The simulation: its actors and scenarios. The world and its twins are in core/ and store/.
sim-tls-$(CONFIG_TLS) := certificates.o seal.o
sim_objs += $(if $(CONFIG_TLS),$B/tls/tests/authority.o)
sim-y += $(sim-tls-y) line.o intruder.o tongue.o tongue_openai.o tongue_anthropic.o tongue_responses.o tongue_gemini.o tongue_cohere.o
sim-y += tongue_bedrock.o tongue_native.o
sim-y += main.o scenario.o terms.o invariants.o race.o receipts.o bill.o gate.o client.o request.o answer.o provider.o plan.o book.o wire.o look.o words.o bytes.o
test-y += look_test wire_test
look_test-y := look.o words.o bytes.o
wire_test-y := wire.o bytes.o
