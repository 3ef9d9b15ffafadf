import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { UsageError } from '../../../operations/lib/errors';
import { requireUsableTls } from '../../../operations/certificates/certificates-preflight';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();

test.each([
  [
    'eab: { keyId: one, hmacKeyFile: /nonexistent/eab.key }',
    'tls.eab.hmacKeyFile (/nonexistent/eab.key): must be a file that can be read, got: ENOENT',
  ],
  [
    'challenge: { type: dns-01, hook: /nonexistent/hook }',
    'tls.challenge.hook (/nonexistent/hook): must be a program that can be run, got: ENOENT',
  ],
])('what an ACME order needs must be there before the authority is asked: %s', async (setting, message) => {
  const environment = parseEnvironment(
    `
name: demo
tls:
  mode: acme
  directory: https://127.0.0.1:1/directory
  email: ops@example.org
  termsOfServiceAgreed: true
  domains: [s3.example.org]
  ${setting}
`,
    'demo.yaml',
  );
  const state = stateLayout('demo', path.join(folder(), 'state'));
  const error = await rejectionOf(requireUsableTls({ environment, state }));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
});
