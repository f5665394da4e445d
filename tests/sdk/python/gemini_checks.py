"""What an application does with Google's own SDK. `gemini_checks.py BASE_URL KEY CHECK...`."""
import sys

from google import genai
from google.genai import errors, types
from check import run, same

base, key, *wanted = sys.argv[1:]
client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base, timeout=30_000))


def generate():
    answer = client.models.generate_content(model="gemini-2.5-flash", contents="ping")
    same((answer.text, answer.usage_metadata.total_token_count), ("mock: pong", 3))


def stream():
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="good day"))
    same("".join(chunk.text or "" for chunk in chunks), "mock: you said good day")


def tools():
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    answer = client.models.generate_content(model="g", contents="add 2 and 3", config=types.GenerateContentConfig(tools=[add]))
    same(answer.text, "mock: the tool said 5")


def shape():
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
    same(client.models.generate_content(model="g", contents="take 7", config=config).parsed, {"n": 7})


def count():
    same(client.models.count_tokens(model="g", contents="one two three").total_tokens, 3)


def embeddings():
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["a b", "c"])
    same([len(one.values) for one in answer.embeddings], [1536, 1536])


def models():
    same([model.name for model in client.models.list()], ["models/mock"])


def refused(kind, text):
    try:
        client.models.generate_content(model="g", contents=text)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def unauthorized():
    same(refused(errors.ClientError, "ping").status, "INVALID_ARGUMENT")


def limited():
    same(refused(errors.ClientError, "FAIL429").status, "RESOURCE_EXHAUSTED")


def failed():
    same(refused(errors.ServerError, "FAIL503").status, "UNAVAILABLE")


run(wanted, lambda name: globals()[name]())
