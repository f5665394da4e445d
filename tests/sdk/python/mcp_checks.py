"""What an application does with the MCP SDK. `mcp_checks.py URL TRANSPORT PREFIX CHECK...`: `sse` or `http`, PREFIX of the names of tools."""
import asyncio
import sys

import mcp
from mcp.client.sse import sse_client
from check import run, same

try:
    from mcp.client.streamable_http import streamable_http_client as http_client
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as http_client

url, transport, prefix, *wanted = sys.argv[1:]


def plain(result):
    """The fields as they are on the wire, whatever the SDK's version calls them."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def session(work):
    connect = sse_client if transport == "sse" else http_client
    async with connect(url) as (read, write, *_), mcp.ClientSession(read, write) as opened:
        opened.greeting = plain(await opened.initialize())
        await work(opened)


async def tools(opened):
    listed = {tool["name"]: tool for tool in plain(await opened.list_tools())["tools"]}
    same(sorted(listed), sorted([f"{prefix}add", f"{prefix}echo"]))
    same(listed[f"{prefix}add"]["annotations"]["readOnlyHint"], True)
    same(plain(await opened.call_tool(f"{prefix}echo", {"message": "hi"}))["content"][0]["text"], "mock: hi")
    same(plain(await opened.call_tool(f"{prefix}add", {"a": 2, "b": 3}))["structuredContent"], {"sum": 5})


async def resources(opened):
    same([one["uri"] for one in plain(await opened.list_resources())["resources"]], ["mock://about"])
    address = "mock://about"
    assert "mock" in plain(await opened.read_resource(address))["contents"][0]["text"]


async def prompts(opened):
    same([one["name"] for one in plain(await opened.list_prompts())["prompts"]], [f"{prefix}greet"])
    said = plain(await opened.get_prompt(f"{prefix}greet", {"name": "you"}))
    same(said["messages"][0]["content"]["text"], "mock: hello, you")


async def named(opened):
    same(opened.greeting["serverInfo"]["name"], "gatewright-mock")


async def several(opened):
    """Two servers behind one address: their names stand before those of their tools."""
    listed = [tool["name"] for tool in plain(await opened.list_tools())["tools"]]
    same(sorted(listed), ["http_add", "http_echo", "sse_add", "sse_echo"])
    for name in ("http_echo", "sse_echo"):
        same(plain(await opened.call_tool(name, {"message": name}))["content"][0]["text"], f"mock: {name}")


async def modern(_):
    """The SDK's own client of version 2, which first asks for the protocol without a handshake."""
    async with mcp.Client(url) as opened:
        same(plain(await opened.call_tool(f"{prefix}echo", {"message": "hi"}))["content"][0]["text"], "mock: hi")


async def errors(opened):
    try:
        result = plain(await opened.call_tool(f"{prefix}nothing", {}))
    except Exception:
        return
    same(result["isError"], True)


async def ping(opened):
    await opened.send_ping()



run(wanted, lambda name: asyncio.run(asyncio.wait_for(session(globals()[name]), 30)))
