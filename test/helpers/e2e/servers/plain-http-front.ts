/** A port that passes TLS on unread and serves plain HTTP itself, as a proxy would that was set up for both. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface PlainHttpFront {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export async function startPlainHttpFront(upstreamPort: number): Promise<PlainHttpFront> {
  const plain = createHttpServer((_, response) => response.end('version: 0.0.0'));
  const sockets = new Set<Socket>();
  const remember = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const front = createServer((socket) => {
    remember(socket);
    socket.once('readable', () => {
      const first = socket.read() as Buffer | null;
      if (first === null) return;
      socket.unshift(first);
      // 22: a TLS record of the type "handshake"
      if (first[0] !== 22) {
        plain.emit('connection', socket);
        return;
      }
      const upstream = connect(upstreamPort, '127.0.0.1');
      remember(upstream);
      upstream.on('close', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
      socket.pipe(upstream).pipe(socket);
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  return {
    port: (front.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      front.close();
      await once(front, 'close');
    },
  };
}
