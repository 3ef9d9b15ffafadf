/** A proxy before Vault that makes something worse. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { TlsOptions } from 'node:tls';
import type { TlsEndpoint } from '../../../../config/operation-inputs';
import type { StateLayout } from '../../../../config/state/layout';
import { HttpClient, type HttpRequest } from '../../../../operations/lib/net/http';

export interface VaultProxyOptions {
  /** Added to every request that has none, as a Vault Agent with auto-auth does. @default - none */
  readonly token?: string;
  readonly tls?: TlsOptions;
}

export interface VaultProxy {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** Starts one on a free port of the loopback, with Vault’s own certificate. */
export async function startVaultProxy(
  upstream: TlsEndpoint,
  state: StateLayout,
  { token, tls }: VaultProxyOptions,
): Promise<VaultProxy> {
  const vault = new HttpClient(upstream);
  const server = createServer(
    {
      cert: readFileSync(path.join(state.tls, 'vault-server.crt')),
      key: readFileSync(path.join(state.secret.tls, 'vault-server.key')),
      ...tls,
    },
    (request, response) => {
      void (async () => {
        const body = await buffer(request);
        const own = request.headers['x-vault-token'] ?? token;
        const answer = await vault.send({
          method: request.method as HttpRequest['method'],
          path: request.url ?? '/',
          headers: { 'x-vault-request': 'true', ...(typeof own === 'string' ? { 'x-vault-token': own } : {}) },
          ...(body.length === 0 ? {} : { body }),
        });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text);
      })().catch(() => response.destroy());
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      vault.close();
    },
  };
}
