import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { EngineAddress } from '../../../config/docker-engine';
import { dockerEngine } from '../../../operations/docker/docker';
import { sshFailure } from '../../../operations/docker/engine-transport';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const ENGINE: EngineAddress = { host: 'ssh://deploy@nas', transport: 'ssh' };

// what OpenSSH 9.2 prints
test.each([
  [
    'a host key that changed',
    '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nOffending ED25519 key in /home/me/.ssh/known_hosts:3\n  remove with:\nHost key verification failed.',
    'the host key of ssh://deploy@nas is another than the one in /home/me/.ssh/known_hosts, line 3: this may be another machine in its place',
    'ask whoever runs it; if the key was really replaced, remove the old one (ssh-keygen -R) and compare the new one with: ssh -o StrictHostKeyChecking=ask deploy@nas',
  ],
  [
    'a host that is not known',
    'No ED25519 host key is known for nas and you have requested strict checking.\nHost key verification failed.',
    'the host key of ssh://deploy@nas is not known here',
    'compare and accept it once with: ssh -o StrictHostKeyChecking=ask deploy@nas',
  ],
  [
    'no key that opens it',
    'deploy@nas: Permission denied (publickey).',
    'ssh may not log in at ssh://deploy@nas: deploy@nas: Permission denied (publickey).',
    'no password can be asked for here: an agent or a key file of ~/.ssh/config must open it. Try: ssh -o BatchMode=yes deploy@nas docker version',
  ],
  [
    'no docker command',
    'bash: line 1: docker: command not found',
    'ssh://deploy@nas has no docker command for this user: bash: line 1: docker: command not found',
    'install Docker Engine with its docker command there, on the PATH of a login without terminal',
  ],
  [
    'anything else',
    'ssh: connect to host nas port 22: No route to host',
    'ssh to ssh://deploy@nas ended with exit code 255: ssh: connect to host nas port 22: No route to host',
    'try: ssh deploy@nas docker version',
  ],
])('%s is said in one sentence', (_case, said, message, hint) => {
  expect(sshFailure(ENGINE, `${said}\n`, 255)).toMatchObject({ name: 'ExternalError', message, hint });
});

test('what ssh says reaches whoever asked the engine', async () => {
  const ssh = path.join(folder(), 'ssh');
  writeFileSync(ssh, '#!/bin/sh\necho "Host key verification failed." >&2\nexit 255\n');
  chmodSync(ssh, 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${folder()}:${before ?? ''}`;
  try {
    const error = await rejectionOf(dockerEngine({ host: 'ssh://unknown.example' }).version());
    expect(error).toMatchObject({
      name: 'ExternalError',
      message: 'the host key of ssh://unknown.example is not known here',
    });
  } finally {
    process.env.PATH = before;
  }
});
