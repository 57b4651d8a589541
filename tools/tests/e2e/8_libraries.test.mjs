// Libraries that stand on OpenAI's API reach every kind of provider through the gateway: chat, stream, tools, structured output, errors.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createOpenAI } from "@ai-sdk/openai";
import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { tool as llamaTool } from "@llamaindex/core/tools";
import { OpenAI as LlamaOpenAI } from "@llamaindex/openai";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { KINDS, kindOptions } from "./8_kinds.test.mjs";
import { KEY, openWorld } from "./harness.mjs";

// Debian 12's Node.js (18) has it under this name alone, and LangChain asks for it when it is used.
globalThis.crypto ??= webcrypto;

// `test` is a provider of kind openai_compatible.
const names = ["test", "claude", "gemini", ...Object.keys(KINDS)];
const WORDS = /^(\w+ )+$/;
const city = z.object({ city: z.string() });
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);

const langchain = (world, model) => new ChatOpenAI({ model, apiKey: KEY, maxRetries: 0, configuration: { baseURL: `${world.base}/v1` } });
const llama = (world, model) => new LlamaOpenAI({ model, apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const vercel = (world, model) => createOpenAI({ apiKey: KEY, baseURL: `${world.base}/v1` }).chat(model);

const tests = {
  async "LangChain: chat and stream"(world) {
    for (const name of names) {
      const llm = langchain(world, `${name}/mock`);
      const answer = await llm.invoke([new SystemMessage("Be brief."), new HumanMessage("Say hello.")]);
      assert.match(answer.content, WORDS, name);
      assert.ok(answer.usage_metadata.output_tokens > 0, name);
      let text = "", usage = null;
      for await (const chunk of await llm.stream([new SystemMessage("Be brief."), new HumanMessage("Say hello.")])) {
        text += chunk.content;
        usage = chunk.usage_metadata ?? usage;
      }
      assert.equal(text, answer.content, name);
      assert.equal(usage.output_tokens, answer.usage_metadata.output_tokens, name);
    }
  },

  async "LangChain: tools, structured output and errors"(world) {
    const weather = langchainTool(() => "7 degrees", { name: "get_weather", description: "The weather.", schema: city });
    for (const name of names) {
      const question = new HumanMessage("Weather?");
      const llm = langchain(world, `${name}/mock-tool`).bindTools([weather]);
      const asked = await llm.invoke([question]);
      assert.deepEqual(asked.tool_calls.map((call) => [call.name, call.args]), [["get_weather", { city: "Bern" }]], name);
      const result = new ToolMessage({ content: "7 degrees", tool_call_id: asked.tool_calls[0].id });
      const done = await langchain(world, `${name}/mock`).bindTools([weather]).invoke([question, asked, result]);
      assert.match(done.content, WORDS, name);
      const typed = langchain(world, `${name}/mock-tool`).withStructuredOutput(city, { name: "get_weather", method: "functionCalling" });
      assert.deepEqual(await typed.invoke([question]), { city: "Bern" }, name);
      const error = await refusal(langchain(world, `${name}/mock-status-400`).invoke([question]));
      assert.equal(error.status, 400, name);
    }
    for (const name of ["test", "mistral", "cohere"]) {
      const typed = langchain(world, `${name}/mock-json`).withStructuredOutput(city, { name: "weather", method: "jsonSchema" });
      assert.deepEqual(await typed.invoke([new HumanMessage("Weather?")]), { city: "Bern" }, name);
    }
  },

  async "LlamaIndex: chat, stream, tools and errors"(world) {
    const messages = [{ role: "user", content: "Say hello." }];
    const weather = llamaTool({ name: "get_weather", description: "The weather.", parameters: city, execute: () => "7 degrees" });
    for (const name of names) {
      const answer = await llama(world, `${name}/mock`).chat({ messages });
      assert.match(answer.message.content, WORDS, name);
      let text = "";
      for await (const { delta } of await llama(world, `${name}/mock`).chat({ messages, stream: true })) text += delta;
      assert.equal(text, answer.message.content, name);
      const asked = await llama(world, `${name}/mock-tool`).chat({ messages, tools: [weather] });
      const [call] = asked.message.options.toolCall;
      assert.equal(call.name, "get_weather", name);
      const done = await llama(world, `${name}/mock`).chat({ tools: [weather], messages: [...messages, asked.message,
        { role: "user", content: "7 degrees", options: { toolResult: { id: call.id, result: "7 degrees", isError: false } } }] });
      assert.match(done.message.content, WORDS, name);
      const error = await refusal(llama(world, `${name}/mock-status-400`).chat({ messages }));
      assert.equal(error.status, 400, name);
    }
  },

  async "Vercel's AI SDK: text, stream, tools and their results"(world) {
    for (const name of names) {
      const answer = await generateText({ model: vercel(world, `${name}/mock`), system: "Be brief.", prompt: "Say hello.", maxRetries: 0 });
      assert.match(answer.text, WORDS, name);
      assert.equal(answer.finishReason, "stop", name);
      assert.ok(answer.usage.outputTokens > 0, name);
      const stream = streamText({ model: vercel(world, `${name}/mock`), system: "Be brief.", prompt: "Say hello.", maxRetries: 0 });
      let text = "";
      for await (const piece of stream.textStream) text += piece;
      assert.equal(text, answer.text, name);
      assert.equal((await stream.usage).outputTokens, answer.usage.outputTokens, name);
      const seen = [];
      const weather = tool({ description: "The weather.", inputSchema: city, execute: (input) => (seen.push(input), "7 degrees") });
      await generateText({ model: vercel(world, `${name}/mock-tool`), prompt: "Weather?", tools: { get_weather: weather }, stopWhen: stepCountIs(2), maxRetries: 0 });
      assert.deepEqual(seen, [{ city: "Bern" }, { city: "Bern" }], name);
      const calls = streamText({ model: vercel(world, `${name}/mock-tool`), prompt: "Weather?", tools: { get_weather: tool({ inputSchema: city }) }, maxRetries: 0 });
      assert.deepEqual((await calls.toolCalls).map((call) => [call.toolName, call.input]), [["get_weather", { city: "Bern" }]], name);
    }
  },

  async "Vercel's AI SDK: structured output and errors"(world) {
    for (const name of ["test", "mistral", "cohere"]) {
      const { experimental_output: output } = await generateText({ model: vercel(world, `${name}/mock-json`), prompt: "Weather?", maxRetries: 0,
        experimental_output: Output.object({ schema: city }) });
      assert.deepEqual(output, { city: "Bern" }, name);
    }
    for (const name of names) {
      const error = await refusal(generateText({ model: vercel(world, `${name}/mock-status-400`), prompt: "Say hello.", maxRetries: 0 }));
      assert.equal(error.statusCode, 400, name);
    }
  },

  async "LangChain: embeddings, which it wants in base64"(world) {
    for (const name of ["test", "mistral", "together", "cohere"]) {
      const embeddings = new OpenAIEmbeddings({ model: `${name}/mock`, apiKey: KEY, configuration: { baseURL: `${world.base}/v1` }, maxRetries: 0 });
      const vectors = await embeddings.embedDocuments(["one", "two"]);
      assert.equal(vectors.length, 2, name);
      for (const vector of vectors) {
        assert.equal(vector.length, 64, name);
        assert.ok(vector.every((number) => Math.abs(number) < 1), name);
      }
    }
  },
};

const BEHAVIOURS = ["mock", "mock-tool", "mock-status-400"];
const model = (name, provider, upstream) => `  - { id: ${name}/${upstream}, provider: ${provider}, upstream_model: ${upstream}, price: { input: 1, output: 2 } }\n`;
const options = {
  extraProviders: `${kindOptions.extraProviders}  - name: claude
    kind: anthropic
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
  - name: gemini
    kind: gemini
    base_url: http://127.0.0.1:MOCK/v1beta
    credentials: [{ name: primary, api_key: upstream-secret }]
`,
  extraModels: kindOptions.extraModels + ["claude", "gemini"].flatMap((name) => BEHAVIOURS.map((upstream) => model(name, name, upstream))).join("") +
    model("test", "mock", "mock-json") + ["mistral", "cohere"].map((name) => model(name, name, "mock-json")).join(""),
};

export const suites = [{ name: "libraries", open: (build) => openWorld(build, options), tests }];
