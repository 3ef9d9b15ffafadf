import { X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StateLayout } from '../../../config/state/layout';
import { issueCertificates } from '../../../operations/certificates/issue-certificates';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate as a deploy would have issued it so long ago that this many of its 365 days are left. */
export async function certificateOf(state: StateLayout, leaf: string, daysLeft: number): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-fault-'));
  try {
    const [certificateFolder, privateKeyFolder] = [path.join(folder, 'tls'), path.join(folder, 'keys')];
    cpSync(state.tls, certificateFolder, { recursive: true });
    cpSync(state.secret.tls, privateKeyFolder, { recursive: true });
    const file = path.join(certificateFolder, `${leaf}.crt`);
    const present = new X509Certificate(readFileSync(file));
    const names = (present.subjectAltName ?? '').split(', ').filter((name) => name !== '');
    const of = (kind: string) => names.flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
    rmSync(file);
    await issueCertificates(
      {
        environment: 'test',
        certificateFolder,
        privateKeyFolder,
        validityDays: 365,
        leaves: [
          {
            name: leaf,
            usage: names.length === 0 ? 'client' : 'server',
            dnsNames: of('DNS:'),
            ipAddresses: of('IP Address:'),
          },
        ],
        renewalNote: path.join(folder, 'renewal.json'),
      },
      new Date(Date.now() - (365 - daysLeft) * DAY_MS),
    );
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
