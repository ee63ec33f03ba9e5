"""The handler of the FastAPI peer. It runs in a virtual environment of its own, where its imports are."""
# mypy: ignore-errors

import os

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

app = FastAPI()
client = AsyncOpenAI(api_key="sk-bench", base_url=os.environ["UPSTREAM_URL"])


async def relay(messages):
    async for piece in await client.chat.completions.create(model="gpt-4o-all", messages=messages, stream=True):
        yield f"data: {piece.model_dump_json()}\n\n"
    yield "data: [DONE]\n\n"


@app.post("/api/chat")
async def chat(request: Request):
    ask = await request.json()
    if ask.get("stream"):
        return StreamingResponse(relay(ask["messages"]), media_type="text/event-stream")
    completion = await client.chat.completions.create(model="gpt-4o-all", messages=ask["messages"])
    return {"code": 0, "msg": "ok", "data": {"reply": completion.choices[0].message.content}}
