"""SDKs without an argument: everything comes from variables. `env_checks.py CHECK...`."""
import sys

import anthropic
import openai
from check import run, same


def openai_chat():
    answer = openai.OpenAI(max_retries=0).chat.completions.create(model="m", messages=[{"role": "user", "content": "ping"}])
    same(answer.choices[0].message.content, "mock: pong")


def anthropic_message():
    answer = anthropic.Anthropic(max_retries=0).messages.create(model="claude", max_tokens=100, messages=[{"role": "user", "content": "ping"}])
    same(answer.role, "assistant")


run(sys.argv[1:], lambda name: globals()[name]())
