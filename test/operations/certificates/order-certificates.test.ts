import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../operations/lib/errors';
import { orderCertificates } from '../../../operations/certificates/order-certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();

test.each(['', 'key-id: one\nkey: the-secret', 'the secret'])(
  'a file of an external account that holds no key is refused before anything is made, and never quoted: %j',
  async (text) => {
    // GIVEN
    const file = (name: string): string => path.join(folder(), name);
    writeFileSync(file('eab.key'), text);
    // WHEN
    const error = await rejectionOf(
      orderCertificates({
        directory: 'https://127.0.0.1:1/directory',
        email: 'ops@example.org',
        accountKeyFile: file('account.key'),
        eab: { keyId: 'one', hmacKeyFile: file('eab.key') },
        challenge: { type: 'http-01', address: '127.0.0.1', port: 0 },
        certificates: [
          { domains: ['s3.example.org'], to: { certificate: file('s3.crt'), privateKey: file('s3.key') } },
        ],
        ledgerFile: file('acme.json'),
        names: [],
        trustedCAs: [],
        renewalNote: file('renewal.json'),
      }),
    );
    // THEN
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(
      `tls.eab.hmacKeyFile (${file('eab.key')}): must hold a key in base64url and nothing else`,
    );
    expect(existsSync(file('account.key'))).toBe(false);
  },
);
