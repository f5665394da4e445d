"""What an application does with the OpenAI SDK. `openai_checks.py BASE_URL KEY CHECK...`; the key may be wrong for `unauthorized`."""
import json
import sys

import openai
from check import run, same

base, key, *wanted = sys.argv[1:]
client = openai.OpenAI(base_url=base, api_key=key, max_retries=0, timeout=30)
ADD = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds", "parameters": ADD}}]


def user(text):
    return [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]


def chat():
    answer = client.chat.completions.create(model="m", messages=user("ping"))
    same(answer.choices[0].message.content, "mock: pong")
    same(answer.choices[0].finish_reason, "stop")
    same((answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens), (3, 2, 5))


def parts():
    content = [{"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": "this"}]
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    same(answer.choices[0].message.content, "mock: you said what is this")


def stream_text():
    chunks = list(client.chat.completions.create(model="m", messages=user("good day"), stream=True, stream_options={"include_usage": True}))
    same("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "mock: you said good day")
    return chunks


def stream():
    chunks = stream_text()
    same([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
    same(chunks[-1].usage.completion_tokens, 5)


def tools_call():
    answer = client.chat.completions.create(model="m", messages=user("add 2 and 3"), tools=TOOLS)
    same(answer.choices[0].finish_reason, "tool_calls")
    call = answer.choices[0].message.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments)), ("add", {"a": 2, "b": 3}))
    return answer.choices[0].message, call


def tools():
    message, call = tools_call()
    messages = [*user("add 2 and 3"), message, {"role": "tool", "tool_call_id": call.id, "content": "5"}]
    answer = client.chat.completions.create(model="m", messages=messages, tools=TOOLS)
    same(answer.choices[0].message.content, "mock: the tool said 5")


def tools_stream():
    with client.chat.completions.stream(model="m", messages=user("add 2 and 3"), tools=TOOLS) as events:
        final = events.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    same((call.function.name, json.loads(call.function.arguments)), ("add", {"a": 2, "b": 3}))


def shape():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    answer = client.chat.completions.create(model="m", messages=user("take 7"), response_format=form)
    same(json.loads(answer.choices[0].message.content), {"n": 7})


def embeddings():
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a b", "c"])
    same([len(one.embedding) for one in answer.data], [1536, 1536])
    same(answer.usage.prompt_tokens, 3)
    floats = client.embeddings.create(model="e", input="a", dimensions=8, encoding_format="float")
    same(len(floats.data[0].embedding), 8)


def responses():
    answer = client.responses.create(model="m", instructions="be brief", input="ping")
    same((answer.output_text, answer.status, answer.usage.total_tokens), ("mock: pong", "completed", 5))


def responses_stream():
    events = list(client.responses.create(model="m", input="good day", stream=True))
    same("".join(e.delta for e in events if e.type == "response.output_text.delta"), "mock: you said good day")
    same((events[0].type, events[-1].type), ("response.created", "response.completed"))
    with client.responses.stream(model="m", input="ping") as stream:
        same(stream.get_final_response().output_text, "mock: pong")


def responses_tools():
    tool = {"type": "function", "name": "add", "parameters": ADD, "strict": False}
    answer = client.responses.create(model="m", input="add 2 and 3", tools=[tool])
    call = answer.output[0]
    same((call.type, call.name, json.loads(call.arguments)), ("function_call", "add", {"a": 2, "b": 3}))
    more = [{"role": "user", "content": "add 2 and 3"}, call, {"type": "function_call_output", "call_id": call.call_id, "output": "5"}]
    same(client.responses.create(model="m", input=more, tools=[tool]).output_text, "mock: the tool said 5")


def models():
    same([model.id for model in client.models.list()], ["mock"])
    same(client.models.retrieve("mock").owned_by, "gatewright-mock")


def refused(kind, text):
    try:
        client.chat.completions.create(model="m", messages=user(text))
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def unauthorized():
    error = refused(openai.AuthenticationError, "ping")
    assert "Incorrect API key" in error.message or "invalid" in error.message, error.message


def limited():
    same(refused(openai.RateLimitError, "FAIL429").status_code, 429)


def limited_and_said():
    error = refused(openai.RateLimitError, "FAIL429")
    same((error.code, error.type), ("rate_limit_exceeded", "rate_limit_error"))


def failed():
    same(refused(openai.InternalServerError, "FAIL500").status_code, 500)


def cut():
    try:
        list(client.chat.completions.create(model="m", messages=user("CUT this answer in the middle"), stream=True))
    except Exception:
        return
    raise AssertionError("a stream that broke off looked whole")


def slow():
    late = client.with_options(timeout=0.5)
    try:
        late.chat.completions.create(model="m", messages=user("ping"), extra_headers={"x-mock-fault": "delay=3s"})
    except openai.APITimeoutError:
        return
    raise AssertionError("no time-out")


run(wanted, lambda name: globals()[name]())
