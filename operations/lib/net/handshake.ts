/** One TLS handshake with a server: which certificate it serves, or why it is refused. */
import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { socketAddress } from './socket-address';

/** How long a server may take, in ms. */
const TIMEOUT_MS = 30_000;

export interface Served {
  readonly certificate: X509Certificate;
  /** Such as `TLSv1.3`. */
  readonly protocol: string | null;
  readonly cipher: string;
}

/** `refusal`: the code of verification or of an alert; `ECONNRESET` where the server hung up in the middle. */
export type Handshake = { readonly served: Served } | { readonly refusal: string };

/**
 * Verifies chain and name, whatever NODE_TLS_REJECT_UNAUTHORIZED says.
 *
 * @param options trust or versions other than those of the endpoint
 * @throws what the network says, if there is no handshake because of it
 */
export async function handshake(
  { url, caFile, serverName }: TlsEndpoint,
  options: Pick<ConnectionOptions, 'ca' | 'minVersion' | 'maxVersion' | 'ciphers'> = {},
): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    let connected = false;
    const socket = connect({
      ...socketAddress(url),
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
      // a client that asks for an address sends no name
      ...(serverName === undefined || isIP(serverName) > 0 ? {} : { servername: serverName }),
      ...options,
      rejectUnauthorized: true,
    });
    socket.once('connect', () => (connected = true));
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      const { name: cipher } = socket.getCipher();
      const protocol = socket.getProtocol();
      socket.end();
      if (certificate === undefined) reject(new Error(`${url} serves no certificate`));
      else resolve({ served: { certificate, protocol, cipher } });
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${new URL(url).host} does not answer TLS`)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code, errno } = error;
      // codes of the network have an errno, those of TLS have not; a server may hang up instead of saying why
      const hungUp = connected && code === 'ECONNRESET';
      if (code === undefined || (errno !== undefined && !hungUp)) reject(error);
      else resolve({ refusal: code });
    });
  });
}
