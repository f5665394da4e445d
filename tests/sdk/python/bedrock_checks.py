"""What an application does with AWS's SDK. `bedrock_checks.py BASE_URL KEY CHECK...`; KEY is the access key's id."""
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from check import run, same

base, key, *wanted = sys.argv[1:]
config = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=30)
client = boto3.client(
    "bedrock-runtime", region_name="eu-west-1", endpoint_url=base, aws_access_key_id=key, aws_secret_access_key="secret", config=config
)
MODEL = "anthropic.claude-3-5-sonnet-20240620-v1:0"
SCHEMA = {"json": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}
TOOLS = {"tools": [{"toolSpec": {"name": "add", "description": "Adds", "inputSchema": SCHEMA}}]}


def user(text):
    return [{"role": "user", "content": [{"text": text}]}]


def converse():
    answer = client.converse(modelId=MODEL, messages=user("ping"), system=[{"text": "be brief"}])
    same((answer["output"]["message"]["content"][0]["text"], answer["usage"]["totalTokens"]), ("mock: pong", 5))


def stream():
    events = list(client.converse_stream(modelId=MODEL, messages=user("good day"))["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    same("".join(deltas), "mock: you said good day")
    same(events[-1]["metadata"]["usage"]["outputTokens"], 5)


def tools():
    first = client.converse(modelId=MODEL, messages=user("add 2 and 3"), toolConfig=TOOLS)
    message = first["output"]["message"]
    call = message["content"][0]["toolUse"]
    same((first["stopReason"], call["input"]), ("tool_use", {"a": 2, "b": 3}))
    result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "5"}]}}
    messages = [*user("add 2 and 3"), message, {"role": "user", "content": [result]}]
    second = client.converse(modelId=MODEL, messages=messages, toolConfig=TOOLS)
    same(second["output"]["message"]["content"][0]["text"], "mock: the tool said 5")


def count():
    same(client.count_tokens(modelId=MODEL, input={"converse": {"messages": user("one two three")}})["inputTokens"], 3)


def refused(text):
    try:
        client.converse(modelId=MODEL, messages=user(text))
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError("no error")


def unauthorized():
    same(refused("ping"), "UnrecognizedClientException")


def limited():
    same(refused("FAIL429"), "ThrottlingException")


run(wanted, lambda name: globals()[name]())
