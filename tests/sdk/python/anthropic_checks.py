"""What an application does with the Anthropic SDK. `anthropic_checks.py BASE_URL KEY CHECK...`."""
import sys

import anthropic
from check import run, same

base, key, *wanted = sys.argv[1:]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)
TOOLS = [{"name": "add", "description": "Adds", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}]


def user(text):
    return [{"role": "user", "content": text}]


def ask(messages, **more):
    return client.messages.create(model="claude", max_tokens=100, messages=messages, **more)


def message():
    answer = ask(user("ping"), system="be brief")
    same((answer.content[0].text, answer.stop_reason), ("mock: pong", "end_turn"))
    same((answer.usage.input_tokens, answer.usage.output_tokens), (3, 2))


def blocks():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    answer = ask(user([{"type": "text", "text": "what is"}, image, {"type": "text", "text": "this"}]))
    same(answer.content[0].text, "mock: you said what is this")


def stream():
    with client.messages.stream(model="claude", max_tokens=100, messages=user("good day")) as events:
        same("".join(events.text_stream), "mock: you said good day")
        final = events.get_final_message()
    same((final.stop_reason, final.usage.output_tokens), ("end_turn", 5))


def stream_raw():
    events = ask(user("ping"), stream=True)
    names = [event.type for event in events]
    same((names[0], names[-1]), ("message_start", "message_stop"))


def tools():
    first = ask(user("add 2 and 3"), tools=TOOLS)
    call = first.content[0]
    same((first.stop_reason, call.name, call.input), ("tool_use", "add", {"a": 2, "b": 3}))
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": "5"}]
    second = ask([*user("add 2 and 3"), {"role": "assistant", "content": first.content}, {"role": "user", "content": result}], tools=TOOLS)
    same(second.content[0].text, "mock: the tool said 5")


def tools_stream():
    with client.messages.stream(model="claude", max_tokens=100, messages=user("add 2 and 3"), tools=TOOLS) as events:
        final = events.get_final_message()
    same((final.content[0].name, final.content[0].input), ("add", {"a": 2, "b": 3}))


def count():
    same(client.messages.count_tokens(model="claude", messages=user("one two three")).input_tokens, 3)


def models():
    same([model.id for model in client.models.list()], ["mock"])


def refused(kind, text):
    try:
        ask(user(text))
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def unauthorized():
    same(refused(anthropic.AuthenticationError, "ping").body["error"]["type"], "authentication_error")


def limited():
    same(refused(anthropic.RateLimitError, "FAIL429").body["error"]["type"], "rate_limit_error")


def failed():
    same(refused(anthropic.InternalServerError, "FAIL529").status_code, 529)


def cut():
    try:
        list(ask(user("CUT this answer in the middle"), stream=True))
    except Exception:
        return
    raise AssertionError("a stream that broke off looked whole")


run(wanted, lambda name: globals()[name]())
