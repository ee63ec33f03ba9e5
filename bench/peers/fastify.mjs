import Fastify from "fastify";
import { Pool } from "undici";

const upstream = new URL(process.env.UPSTREAM_URL);
const pool = new Pool(upstream.origin, { connections: 4096 });
const app = Fastify({ keepAliveTimeout: 600_000 });

function ask({ messages, stream }) {
  return pool.request({
    path: `${upstream.pathname}/chat/completions`,
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
    body: JSON.stringify({ model: "gpt-4o-all", messages, stream: Boolean(stream) }),
  });
}

app.post("/api/chat", async (request, reply) => {
  const answer = await ask(request.body);
  if (request.body.stream) return reply.type("text/event-stream").send(answer.body);
  const completion = await answer.body.json();
  return { code: 0, msg: "ok", data: { reply: completion.choices[0].message.content } };
});

await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
