import express from "express";
import OpenAI from "openai";

const client = new OpenAI({ apiKey: "sk-bench", baseURL: process.env.UPSTREAM_URL });
const app = express();
app.use(express.json());

app.post("/api/chat", async (request, response) => {
  const { messages, stream } = request.body;
  if (!stream) {
    const completion = await client.chat.completions.create({ model: "gpt-4o-all", messages });
    response.json({ code: 0, msg: "ok", data: { reply: completion.choices[0].message.content } });
    return;
  }
  response.setHeader("Content-Type", "text/event-stream");
  const pieces = await client.chat.completions.create({ model: "gpt-4o-all", messages, stream: true });
  for await (const piece of pieces) response.write(`data: ${JSON.stringify(piece)}\n\n`);
  response.end("data: [DONE]\n\n");
});

app.listen(Number(process.env.PORT), "127.0.0.1");
