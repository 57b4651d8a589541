// Programs talk to a gateway through libraries. Each of them asks each kind of provider for what programs ask for: an answer, a stream of it, calls of
// tools and what follows them, calls from a stream, a value of a schema, and what is refused. A row of `libraries` is how one of them asks.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { tool as llamaTool } from "@llamaindex/core/tools";
import { OpenAI as LlamaOpenAI, OpenAIResponses as LlamaResponses } from "@llamaindex/openai";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { KINDS, kindOptions } from "./8_kinds.test.mjs";
import { KEY, openWorld } from "./harness.mjs";

// Debian 12's Node.js (18) has it under this name alone, and LangChain asks for it when it is used.
globalThis.crypto ??= webcrypto;
globalThis.AI_SDK_LOG_WARNINGS = false; // that it leaves reasoning out

const SYSTEM = "Be brief.", HELLO = "Say hello.", QUESTION = "Weather?", RESULT = "7 degrees";
const WORDS = /^(\w+ )+$/;
const CITY = { city: "Bern" };
const city = z.object({ city: z.string() });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };

// ---- the libraries -----------------------------------------------------------------------------------------------------

// Of each function, `at` makes the name of a kind's model of that behaviour; an answer is its text and the tokens that it counts, a call its name and
// arguments. `tools` are the calls, and the text of the answer to their results.
const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const hello = [{ role: "system", content: SYSTEM }, { role: "user", content: HELLO }];
const question = { role: "user", content: QUESTION };

const chatTools = [{ type: "function", function: { name: "get_weather", parameters: schema } }];
const chatCalls = (message) => message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
const openaiChat = (world) => {
  const { completions } = openai(world).chat;
  return {
    async say(at) {
      const { choices: [{ message }], usage } = await completions.create({ model: at("mock"), messages: hello });
      return { text: message.content, tokens: usage.completion_tokens };
    },
    async stream(at) {
      const stream = completions.stream({ model: at("mock"), messages: hello, stream_options: { include_usage: true } });
      return { text: await stream.finalContent(), tokens: (await stream.totalUsage()).completion_tokens };
    },
    async tools(at) {
      const { choices: [{ message }] } = await completions.create({ model: at("mock-tool"), messages: [question], tools: chatTools });
      const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: RESULT }));
      const done = await completions.create({ model: at("mock"), messages: [question, message, ...results], tools: chatTools });
      return { calls: chatCalls(message), text: done.choices[0].message.content };
    },
    async toolsOfStream(at) {
      return chatCalls(await completions.stream({ model: at("mock-tool"), messages: [question], tools: chatTools }).finalMessage());
    },
    async typed(at) {
      const answer = await completions.parse({ model: at("mock-json"), messages: [question], response_format: zodResponseFormat(city, "weather") });
      return answer.choices[0].message.parsed;
    },
    refused: (at) => completions.create({ model: at("mock-status-400"), messages: hello }),
  };
};

const responsesTools = [{ type: "function", name: "get_weather", parameters: schema, strict: true }];
const responsesCalls = ({ output }) => output.filter((item) => item.type === "function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
const openaiResponses = (world) => {
  const { responses } = openai(world);
  const said = ({ output_text: text, usage }) => ({ text, tokens: usage.output_tokens });
  return {
    say: async (at) => said(await responses.create({ model: at("mock"), instructions: SYSTEM, input: HELLO })),
    stream: async (at) => said(await responses.stream({ model: at("mock"), instructions: SYSTEM, input: HELLO }).finalResponse()),
    async tools(at) {
      const asked = await responses.create({ model: at("mock-tool"), input: [question], tools: responsesTools });
      const results = asked.output.filter((item) => item.type === "function_call")
        .map(({ call_id }) => ({ type: "function_call_output", call_id, output: RESULT }));
      const done = await responses.create({ model: at("mock"), input: [question, ...asked.output, ...results], tools: responsesTools });
      return { calls: responsesCalls(asked), text: done.output_text };
    },
    toolsOfStream: async (at) => responsesCalls(await responses.stream({ model: at("mock-tool"), input: [question], tools: responsesTools }).finalResponse()),
    async typed(at) {
      return (await responses.parse({ model: at("mock-json"), input: QUESTION, text: { format: zodTextFormat(city, "weather") } })).output_parsed;
    },
    refused: (at) => responses.create({ model: at("mock-status-400"), input: HELLO }),
  };
};

const anthropicTools = [{ name: "get_weather", input_schema: schema }];
const anthropic = (world) => {
  const { messages } = new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
  const body = (model, more) => ({ model, max_tokens: 50, messages: [question], ...more });
  const textOf = ({ content }) => content.map((block) => block.text ?? "").join("");
  const said = (message) => ({ text: textOf(message), tokens: message.usage.output_tokens });
  const uses = ({ content }) => content.filter((block) => block.type === "tool_use");
  const calls = (message) => uses(message).map(({ name, input }) => [name, input]);
  const greeting = { system: SYSTEM, messages: hello.slice(1) };
  return {
    say: async (at) => said(await messages.create(body(at("mock"), greeting))),
    stream: async (at) => said(await messages.stream(body(at("mock"), greeting)).finalMessage()),
    async tools(at) {
      const asked = await messages.create(body(at("mock-tool"), { tools: anthropicTools }));
      const results = uses(asked).map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: RESULT }));
      const history = [question, { role: "assistant", content: asked.content }, { role: "user", content: results }];
      return { calls: calls(asked), text: textOf(await messages.create(body(at("mock"), { tools: anthropicTools, messages: history }))) };
    },
    toolsOfStream: async (at) => calls(await messages.stream(body(at("mock-tool"), { tools: anthropicTools })).finalMessage()),
    typed: async (at) => JSON.parse(textOf(await messages.create(body(at("mock-json"), { output_config: { format: { type: "json_schema", schema } } })))),
    refused: (at) => messages.create(body(at("mock-status-400"))),
  };
};

const langchain = (useResponsesApi) => (world) => {
  const llm = (model) => new ChatOpenAI({ model, apiKey: KEY, maxRetries: 0, useResponsesApi, configuration: { baseURL: `${world.base}/v1` } });
  const greeting = [new SystemMessage(SYSTEM), new HumanMessage(HELLO)], asks = new HumanMessage(QUESTION);
  const weather = langchainTool(() => RESULT, { name: "get_weather", description: "The weather.", schema: city });
  const said = (message) => ({ text: message.text, tokens: message.usage_metadata.output_tokens });
  const calls = (message) => message.tool_calls.map((call) => [call.name, call.args]);
  const joined = async (stream) => {
    let all = null;
    for await (const chunk of stream) all = all ? all.concat(chunk) : chunk;
    return all;
  };
  return {
    say: async (at) => said(await llm(at("mock")).invoke(greeting)),
    stream: async (at) => said(await joined(await llm(at("mock")).stream(greeting))),
    async tools(at) {
      const asked = await llm(at("mock-tool")).bindTools([weather]).invoke([asks]);
      const results = asked.tool_calls.map((call) => new ToolMessage({ content: RESULT, tool_call_id: call.id }));
      return { calls: calls(asked), text: (await llm(at("mock")).bindTools([weather]).invoke([asks, asked, ...results])).text };
    },
    toolsOfStream: async (at) => calls(await joined(await llm(at("mock-tool")).bindTools([weather]).stream([asks]))),
    typed: (at) => llm(at("mock-json")).withStructuredOutput(city, { name: "weather", method: "jsonSchema" }).invoke([asks]),
    refused: (at) => llm(at("mock-status-400")).invoke(greeting),
  };
};

const DELTA = "response.output_text.delta";
const llamaindex = (Model) => (world) => {
  const llm = (model) => new Model({ model, apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
  const weather = llamaTool({ name: "get_weather", description: "The weather.", parameters: city, execute: () => RESULT });
  const objectOf = (input) => (typeof input === "string" ? JSON.parse(input) : input);
  const calls = (list) => list.map(({ name, input }) => [name, objectOf(input)]);
  return {
    say: async (at) => ({ text: (await llm(at("mock")).chat({ messages: hello })).message.content }),
    async stream(at) {
      let text = "";
      // Over Responses it says the last piece again with each event that follows; of a chat, `raw` has no type.
      for await (const { delta, raw } of await llm(at("mock")).chat({ messages: hello, stream: true }))
        text += (raw.type ?? DELTA) === DELTA ? delta : "";
      return { text };
    },
    async tools(at) {
      const { message } = await llm(at("mock-tool")).chat({ messages: [question], tools: [weather] });
      const results = message.options.toolCall.map(({ id }) => ({ role: "user", content: RESULT,
        options: { toolResult: { id, result: RESULT, isError: false } } }));
      const done = await llm(at("mock")).chat({ messages: [question, message, ...results], tools: [weather] });
      return { calls: calls(message.options.toolCall), text: done.message.content };
    },
    async toolsOfStream(at) {
      let seen = [];
      for await (const { options } of await llm(at("mock-tool")).chat({ messages: [question], tools: [weather], stream: true }))
        seen = options?.toolCall ?? seen;
      return calls(seen);
    },
    typed: async (at) => JSON.parse((await llm(at("mock-json")).chat({ messages: [question], responseFormat: city })).message.content),
    refused: (at) => llm(at("mock-status-400")).chat({ messages: hello }),
  };
};

// What its provider makes of a name alone speaks the Responses API.
const vercel = (api) => (world) => {
  const provider = createOpenAI({ apiKey: KEY, baseURL: `${world.base}/v1` });
  const body = (model, more) => ({ model: api === "chat" ? provider.chat(model) : provider(model), maxRetries: 0, prompt: QUESTION, ...more });
  const greeting = { system: SYSTEM, prompt: HELLO };
  const calls = (list) => list.map(({ toolName, input }) => [toolName, input]);
  const weather = (more = {}) => ({ get_weather: tool({ description: "The weather.", inputSchema: city, ...more }) });
  return {
    async say(at) {
      const { text, usage } = await generateText(body(at("mock"), greeting));
      return { text, tokens: usage.outputTokens };
    },
    async stream(at) {
      const stream = streamText(body(at("mock"), greeting));
      let text = "";
      for await (const piece of stream.textStream) text += piece;
      return { text, tokens: (await stream.usage).outputTokens };
    },
    // It goes on by itself, with the model that it has: the call comes again. Over Responses it names what was said by its id, unless `store` is false.
    async tools(at, store = false) {
      const { steps } = await generateText(body(at("mock-tool"), { tools: weather({ execute: () => RESULT }), stopWhen: stepCountIs(2),
        providerOptions: { openai: { store } } }));
      assert.equal(steps.length, 2);
      assert.deepEqual(calls(steps[1].toolCalls), calls(steps[0].toolCalls));
      return { calls: calls(steps[0].toolCalls) };
    },
    toolsOfStream: async (at) => calls(await streamText(body(at("mock-tool"), { tools: weather() })).toolCalls),
    typed: async (at) => (await generateText(body(at("mock-json"), { experimental_output: Output.object({ schema: city }) }))).experimental_output,
    refused: (at) => generateText(body(at("mock-status-400"))),
  };
};

const libraries = {
  "OpenAI's SDK, chat": openaiChat,
  "OpenAI's SDK, Responses": openaiResponses,
  "Anthropic's SDK": anthropic,
  "LangChain, chat": langchain(false),
  "LangChain, Responses": langchain(true),
  "LlamaIndex, chat": llamaindex(LlamaOpenAI),
  "LlamaIndex, Responses": llamaindex(LlamaResponses),
  "Vercel's AI SDK, chat": vercel("chat"),
  "Vercel's AI SDK, Responses": vercel("responses"),
};

// ---- what they are asked for -------------------------------------------------------------------------------------------

const uses = {
  async "an answer, and its stream"(library, at) {
    const [said, streamed] = await Promise.all([library.say(at), library.stream(at)]);
    assert.match(said.text, WORDS);
    assert.deepEqual(streamed, said);
    assert.notEqual(said.tokens, 0);
  },
  async "tools, and an answer to what they gave"(library, at) {
    const { calls, text } = await library.tools(at);
    assert.deepEqual(calls, [["get_weather", CITY]]);
    if (text !== undefined) assert.match(text, WORDS);
    assert.deepEqual(await library.toolsOfStream(at), [["get_weather", CITY]]);
  },
  async "a value of a schema"(library, at) {
    assert.deepEqual(await library.typed(at), CITY);
  },
  async "a refusal"(library, at) {
    const error = await library.refused(at).then(() => assert.fail("it was not refused"), (e) => e);
    assert.equal(error.status ?? error.statusCode, 400, String(error.stack));
  },
};

// As many at once as a busy program asks: every kind of provider for every use.
async function askAll(world, open) {
  const library = open(world);
  const failures = [];
  await Promise.all(kinds.flatMap((kind) => Object.entries(uses).map(async ([use, check]) => {
    try {
      await check(library, (behaviour) => `${kind}/${behaviour}`);
    } catch (error) {
      failures.push(`${kind}: ${use}: ${error.stack ?? error}`);
    }
  })));
  assert.equal(failures.length, 0, failures.join("\n"));
}

// ---- the world ---------------------------------------------------------------------------------------------------------

const MORE_KINDS = {
  openai: { base: "/v1" }, openai_compatible: { base: "/v1" }, anthropic: { base: "/v1" }, gemini: { base: "/v1beta" },
  bedrock: { base: "", credential: "access_key_id: AKIDEXAMPLE, secret_access_key: mock-secret/key+1, region: eu-west-1" },
};
const kinds = [...Object.keys(KINDS), ...Object.keys(MORE_KINDS)];
const BEHAVIOURS = ["mock", "mock-tool", "mock-status-400", "mock-json"];

const model = (name, upstream) => `  - { id: ${name}/${upstream}, provider: ${name}, upstream_model: ${upstream}, price: { input: 1, output: 2 } }\n`;
const options = {
  extraProviders: kindOptions.extraProviders + Object.entries(MORE_KINDS).map(([kind, { base, credential = "api_key: upstream-secret" }]) => `  - name: ${kind}
    kind: ${kind}
    base_url: http://127.0.0.1:MOCK${base}
    credentials: [{ name: primary, ${credential} }]
`).join(""),
  extraModels: kindOptions.extraModels + Object.keys(KINDS).map((name) => model(name, "mock-json")).join("") +
    Object.keys(MORE_KINDS).flatMap((name) => BEHAVIOURS.map((behaviour) => model(name, behaviour))).join(""),
};

const tests = {
  ...Object.fromEntries(Object.entries(libraries).map(([name, open]) => [`${name}, over every kind of provider`, (world) => askAll(world, open)])),

  async "Vercel's AI SDK, Responses: items by their ids, as it refers to what was kept"(world) {
    const library = libraries["Vercel's AI SDK, Responses"](world);
    await Promise.all(kinds.map(async (kind) => {
      const { calls } = await library.tools((behaviour) => `${kind}/${behaviour}`, true);
      assert.deepEqual(calls, [["get_weather", CITY]], kind);
    }));
  },

  async "LangChain's embeddings, which it wants in base64"(world) {
    await Promise.all(["openai_compatible", "mistral", "together", "cohere", "gemini"].map(async (kind) => {
      const embeddings = new OpenAIEmbeddings({ model: `${kind}/mock`, apiKey: KEY, configuration: { baseURL: `${world.base}/v1` }, maxRetries: 0 });
      const vectors = await embeddings.embedDocuments(["one", "two"]);
      assert.equal(vectors.length, 2, kind);
      for (const vector of vectors) {
        assert.equal(vector.length, 64, kind);
        assert.ok(vector.every((number) => Math.abs(number) < 1), kind);
      }
    }));
  },
};

export const suites = [{ name: "libraries", open: (build) => openWorld(build, options), tests }];
