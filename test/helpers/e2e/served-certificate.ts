/** What a client is shown on the S3 port. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

export interface ServedCertificate {
  readonly fingerprint: string;
  /** Names in it, as Node prints them. */
  readonly names: string;
}

/**
 * Makes a new, verified connection.
 *
 * @param serverName the name to ask for and to verify; none: the address
 */
export async function servedCertificate(port: number, caFile: string, serverName?: string): Promise<ServedCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: '127.0.0.1',
        port,
        ca: readFileSync(caFile),
        rejectUnauthorized: true,
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
      () => {
        const certificate = socket.getPeerX509Certificate();
        resolve({ fingerprint: certificate?.fingerprint256 ?? 'none', names: certificate?.subjectAltName ?? 'none' });
        socket.end();
      },
    );
    socket.on('error', reject);
  });
}
