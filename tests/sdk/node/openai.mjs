// What an application does with the OpenAI SDK. `openai.mjs BASE_URL KEY CHECK...`.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { run } from "./check.mjs";

const [base, key, ...wanted] = process.argv.slice(2);
const client = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0, timeout: 30_000 });
const user = (text) => [{ role: "system", content: "be brief" }, { role: "user", content: text }];
const parameters = { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } }, required: ["a", "b"] };
const tools = [{ type: "function", function: { name: "add", description: "Adds", parameters } }];
const ask = (messages, more = {}) => client.chat.completions.create({ model: "m", messages, ...more });
const refused = (kind, text) => assert.rejects(ask(user(text)), (error) => error instanceof kind);

const checks = {
  async chat() {
    const answer = await ask(user("ping"));
    assert.equal(answer.choices[0].message.content, "mock: pong");
    assert.equal(answer.usage.total_tokens, 5);
  },
  async stream_text() {
    let text = "";
    for await (const chunk of await ask(user("good day"), { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
    assert.equal(text, "mock: you said good day");
  },
  async stream() {
    const stream = client.chat.completions.stream({ model: "m", messages: user("good day"), stream_options: { include_usage: true } });
    assert.equal(await stream.finalContent(), "mock: you said good day");
    assert.equal((await stream.totalUsage()).completion_tokens, 5);
  },
  async tools() {
    const first = await ask(user("add 2 and 3"), { tools });
    const message = first.choices[0].message;
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { a: 2, b: 3 });
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "5" };
    const second = await ask([...user("add 2 and 3"), message, result], { tools });
    assert.equal(second.choices[0].message.content, "mock: the tool said 5");
  },
  async tools_stream() {
    const stream = client.chat.completions.stream({ model: "m", messages: user("add 2 and 3"), tools });
    const message = await stream.finalMessage();
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { a: 2, b: 3 });
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model: "text-embedding-3-small", input: ["a b", "c"] });
    assert.deepEqual(answer.data.map((one) => one.embedding.length), [1536, 1536]);
  },
  async responses() {
    const answer = await client.responses.create({ model: "m", instructions: "be brief", input: "ping" });
    assert.deepEqual([answer.output_text, answer.usage.total_tokens], ["mock: pong", 5]);
  },
  async responses_stream() {
    const stream = client.responses.stream({ model: "m", input: "good day" });
    assert.equal((await stream.finalResponse()).output_text, "mock: you said good day");
  },
  async models() {
    assert.deepEqual((await client.models.list()).data.map((model) => model.id), ["mock"]);
  },
  unauthorized: () => refused(OpenAI.AuthenticationError, "ping"),
  limited: () => refused(OpenAI.RateLimitError, "FAIL429"),
  failed: () => refused(OpenAI.InternalServerError, "FAIL503"),
  async cut() {
    const read = async () => {
      for await (const _ of await ask(user("CUT this answer in the middle"), { stream: true }));
    };
    await assert.rejects(read());
  },
};

await run(wanted, (name) => checks[name]());
