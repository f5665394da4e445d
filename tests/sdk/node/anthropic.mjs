// What an application does with the Anthropic SDK. `anthropic.mjs BASE_URL KEY CHECK...`.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { run } from "./check.mjs";

const [base, key, ...wanted] = process.argv.slice(2);
const client = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0, timeout: 30_000 });
const user = (text) => [{ role: "user", content: text }];
const input_schema = { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } }, required: ["a", "b"] };
const tools = [{ name: "add", description: "Adds", input_schema }];
const given = (messages, more) => ({ model: "claude", max_tokens: 100, messages, ...more });
const ask = (messages, more = {}) => client.messages.create(given(messages, more));
const refused = (kind, text) => assert.rejects(ask(user(text)), (error) => error instanceof kind && error.error?.type === "error");

const checks = {
  async message() {
    const answer = await ask(user("ping"), { system: "be brief" });
    assert.deepEqual([answer.content[0].text, answer.stop_reason], ["mock: pong", "end_turn"]);
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [3, 2]);
  },
  async stream() {
    const stream = client.messages.stream(given(user("good day")));
    assert.equal(await stream.finalText(), "mock: you said good day");
    assert.equal((await stream.finalMessage()).usage.output_tokens, 5);
  },
  async tools() {
    const first = await ask(user("add 2 and 3"), { tools });
    assert.deepEqual([first.stop_reason, first.content[0].input], ["tool_use", { a: 2, b: 3 }]);
    const result = [{ type: "tool_result", tool_use_id: first.content[0].id, content: "5" }];
    const messages = [...user("add 2 and 3"), { role: "assistant", content: first.content }, { role: "user", content: result }];
    assert.equal((await ask(messages, { tools })).content[0].text, "mock: the tool said 5");
  },
  async tools_stream() {
    const message = await client.messages.stream(given(user("add 2 and 3"), { tools })).finalMessage();
    assert.deepEqual(message.content[0].input, { a: 2, b: 3 });
  },
  async count() {
    const count = await client.messages.countTokens({ model: "claude", messages: user("one two three") });
    assert.equal(count.input_tokens, 3);
  },
  async models() {
    assert.deepEqual((await client.models.list()).data.map((model) => model.id), ["mock"]);
  },
  unauthorized: () => refused(Anthropic.AuthenticationError, "ping"),
  limited: () => refused(Anthropic.RateLimitError, "FAIL429"),
  failed: () => refused(Anthropic.InternalServerError, "FAIL529"),
};

await run(wanted, (name) => checks[name]());
