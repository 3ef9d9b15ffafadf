import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { EngineAddress } from '../../../../config/docker/docker-engine';
import { dockerEngine } from '../../../../operations/docker/docker';
import { sshFailure } from '../../../../operations/docker/engine/engine-transport';
import { ThrowawayCa } from '../../../helpers/certificates';
import { compiled } from '../../../helpers/compiled';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { TlsServer } from '../../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
const ENGINE: EngineAddress = { host: 'ssh://deploy@nas', transport: 'ssh' };

// what OpenSSH 9.2 prints
test.each([
  [
    'a host key that changed',
    '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nOffending ED25519 key in /home/me/.ssh/known_hosts:3\n  remove with:\nHost key verification failed.',
    'the host key of ssh://deploy@nas is another than the one in /home/me/.ssh/known_hosts, line 3: this may be another machine in its place',
    'ask its operator; if the key was really replaced, remove the old one (ssh-keygen -R) and compare the new one with: ssh -o StrictHostKeyChecking=ask deploy@nas',
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

/** How asking an engine ends whose `ssh` is this shell script. */
async function askedOverSsh(script: string): Promise<Error> {
  const ssh = path.join(folder(), 'ssh');
  writeFileSync(ssh, `#!/bin/sh\n${script}\n`);
  chmodSync(ssh, 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${folder()}:${before ?? ''}`;
  try {
    return await rejectionOf(dockerEngine({ host: 'ssh://unknown.example' }).version());
  } finally {
    process.env.PATH = before;
  }
}

test('what ssh says reaches whoever asked the engine', async () => {
  expect(await askedOverSsh('echo "Host key verification failed." >&2; exit 255')).toMatchObject({
    name: 'ExternalError',
    message: 'the host key of ssh://unknown.example is not known here',
  });
});

test('of what another machine says without end, only the last part is kept', async () => {
  const said =
    'head -c 5000000 /dev/zero | tr "\\0" x >&2; echo >&2; echo "Host key verification failed." >&2; exit 255';
  expect((await askedOverSsh(said)).message).toBe('the host key of ssh://unknown.example is not known here');
  const noise = await askedOverSsh('head -c 5000000 /dev/zero | tr "\\0" x >&2; exit 255');
  expect(noise.message).toMatch(/^ssh to ssh:\/\/unknown\.example ended with exit code 255: x+$/);
  expect(noise.message.length).toBeLessThan(17_000);
});

test('an engine with a certificate of somebody else is refused, whatever the environment says of certificates', async () => {
  const ours = await ThrowawayCa.create(folder(), 'ours');
  const theirs = await ThrowawayCa.create(folder(), 'theirs');
  const client = await ours.issue('client');
  const server = async (ca: ThrowawayCa, name: string): Promise<TlsServer> =>
    TlsServer.start(await ca.issue(name), (_, response) => {
      response.setHeader('content-type', 'application/json').end('{"Version":"1"}');
    });
  const [own, strange] = await Promise.all([server(ours, 'own'), server(theirs, 'strange')]);
  copyFileSync(ours.file, path.join(folder(), 'ca.pem'));
  copyFileSync(client.certificateFile, path.join(folder(), 'cert.pem'));
  copyFileSync(client.privateKeyFile, path.join(folder(), 'key.pem'));
  // a process of its own, because Node reads the variable outside of what jest lets a test change
  const source = compiled('operations/docker/engine/engine-transport.ts', path.join(folder(), 'transport.cjs'));
  const ask = async ({ url }: TlsServer): Promise<string> => {
    const engine = { host: url.replace('https', 'tcp'), transport: 'tls', certPath: folder() };
    const program = `
      const { engineAgent } = require(${JSON.stringify(source)});
      const agent = engineAgent(${JSON.stringify(engine)});
      require('node:http').get({ agent, host: 'engine', path: '/version' }, (response) => {
        console.log('answered', response.statusCode);
        agent.destroy();
      }).on('error', ({ code }) => console.log(code));`;
    const env = { PATH: process.env.PATH, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    return (await promisify(execFile)(process.execPath, ['-e', program], { env })).stdout.trim();
  };
  try {
    expect(await ask(own)).toBe('answered 200');
    expect(await ask(strange)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  } finally {
    await Promise.all([own.stop(), strange.stop()]);
  }
});
