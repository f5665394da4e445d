// What an application does with the MCP SDK. `mcp.mjs URL TRANSPORT PREFIX CHECK...`.
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { run } from "./check.mjs";

const [url, kind, prefix, ...wanted] = process.argv.slice(2);
const connect = () => (kind === "sse" ? new SSEClientTransport(new URL(url)) : new StreamableHTTPClientTransport(new URL(url)));

const checks = {
  async tools(client) {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), [`${prefix}add`, `${prefix}echo`]);
    const said = await client.callTool({ name: `${prefix}echo`, arguments: { message: "hi" } });
    assert.equal(said.content[0].text, "mock: hi");
    const sum = await client.callTool({ name: `${prefix}add`, arguments: { a: 2, b: 3 } });
    assert.deepEqual(sum.structuredContent, { sum: 5 });
  },
  async several(client) {
    const names = (await client.listTools()).tools.map((tool) => tool.name).sort();
    assert.deepEqual(names, ["http_add", "http_echo", "sse_add", "sse_echo"]);
    for (const name of ["http_echo", "sse_echo"]) {
      const said = await client.callTool({ name, arguments: { message: name } });
      assert.equal(said.content[0].text, `mock: ${name}`);
    }
  },
  async resources(client) {
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map((one) => one.uri), ["mock://about"]);
    assert.match((await client.readResource({ uri: "mock://about" })).contents[0].text, /mock/);
  },
  async prompts(client) {
    const said = await client.getPrompt({ name: `${prefix}greet`, arguments: { name: "you" } });
    assert.equal(said.messages[0].content.text, "mock: hello, you");
  },
  async errors(client) {
    const result = client.callTool({ name: `${prefix}nothing`, arguments: {} });
    assert.ok(await result.then((said) => said.isError, () => true));
  },
  async end(client, transport) {
    if (kind !== "sse") await transport.terminateSession();
  },
};

await run(wanted, async (name) => {
  const client = new Client({ name: "check", version: "1" });
  const transport = connect();
  await client.connect(transport);
  try {
    await checks[name](client, transport);
  } finally {
    await client.close();
  }
});
