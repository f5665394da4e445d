// SDKs without an argument: everything comes from variables. `env.mjs CHECK...`.
import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

import { run } from "./check.mjs";

const messages = [{ role: "user", content: "ping" }];
const checks = {
  async openai_chat() {
    const answer = await new OpenAI({ maxRetries: 0 }).chat.completions.create({ model: "m", messages });
    assert.ok(answer.choices[0].message.content.endsWith("pong"));
  },
  async anthropic_message() {
    const answer = await new Anthropic({ maxRetries: 0 }).messages.create({ model: "claude", max_tokens: 100, messages });
    assert.equal(answer.role, "assistant");
  },
};

await run(process.argv.slice(2), (name) => checks[name]());
