/** A line to the service that breaks: each connection ends after so many bytes of the answer. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export async function startCuttingProxy(serviceUrl, bytesUntilCut) {
  const { hostname, port } = new URL(serviceUrl);
  const sockets = new Set();
  const proxy = { cuts: 0 };
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    let left = bytesUntilCut();
    sockets.add(near).add(far);
    const end = () => {
      near.destroy();
      far.destroy();
      sockets.delete(near);
      sockets.delete(far);
    };
    near.pipe(far);
    far.on('data', (bytes) => {
      left -= bytes.length;
      if (left > 0) {
        near.write(bytes);
        return;
      }
      proxy.cuts += 1;
      near.write(bytes.subarray(0, bytes.length + left), end);
    });
    far.on('end', () => near.end());
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return proxy;
}
