import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  describeEngine,
  engineVariables,
  pinEngine,
  remoteMachine,
  resolveEngine,
  sshArguments,
} from '../../../config/docker/docker-engine';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();

/** A home in which the docker command has contexts, each with its engine. */
function home(settings: string | undefined, contexts: Record<string, object> = {}, withTls: readonly string[] = []) {
  const docker = path.join(folder(), '.docker');
  mkdirSync(docker, { recursive: true });
  if (settings !== undefined) writeFileSync(path.join(docker, 'config.json'), settings);
  for (const [name, engine] of Object.entries(contexts)) {
    const id = createHash('sha256').update(name).digest('hex');
    mkdirSync(path.join(docker, 'contexts', 'meta', id), { recursive: true });
    const meta = { Name: name, Metadata: {}, Endpoints: { docker: engine } };
    writeFileSync(path.join(docker, 'contexts', 'meta', id, 'meta.json'), JSON.stringify(meta));
    if (withTls.includes(name)) certificates(path.join(docker, 'contexts', 'tls', id, 'docker'));
  }
  return { HOME: folder() };
}

function certificates(at: string, files = ['ca.pem', 'cert.pem', 'key.pem']): string {
  mkdirSync(at, { recursive: true });
  for (const file of files) writeFileSync(path.join(at, file), 'PEM');
  return at;
}

describe('the engine is the first that is set', () => {
  const CONTEXTS = { nas: { Host: 'ssh://root@nas' }, desktop: { Host: 'unix:///home/me/docker.sock' } };
  const current = '{"currentContext": "nas"}';
  const everything = { DOCKER_HOST: 'ssh://variable', DOCKER_CONTEXT: 'desktop' };

  test.each([
    ['docker.host', { host: 'ssh://file' }, everything, current, 'ssh://file', 'docker.host'],
    ['DOCKER_HOST', {}, everything, current, 'ssh://variable', 'DOCKER_HOST'],
    [
      'DOCKER_CONTEXT',
      {},
      { DOCKER_CONTEXT: 'desktop' },
      current,
      'unix:///home/me/docker.sock',
      'Docker context desktop (DOCKER_CONTEXT)',
    ],
    ['an empty variable is none', {}, { DOCKER_HOST: '', DOCKER_CONTEXT: '' }, current, 'ssh://root@nas', undefined],
    [
      'DOCKER_CONTEXT=default',
      {},
      { DOCKER_CONTEXT: 'default' },
      current,
      'unix:///var/run/docker.sock',
      'DOCKER_CONTEXT',
    ],
    ['a current context "default"', {}, {}, '{"currentContext": "default"}', 'unix:///var/run/docker.sock', undefined],
    ['no current context', {}, {}, '{"auths": {}}', 'unix:///var/run/docker.sock', undefined],
    ['nothing', {}, {}, undefined, 'unix:///var/run/docker.sock', undefined],
    [
      'DOCKER_HOST beside a broken config.json',
      {},
      { DOCKER_HOST: 'ssh://variable' },
      '{',
      'ssh://variable',
      undefined,
    ],
  ])('%s', (_case, settings, env, config, host, namedBy) => {
    const engine = resolveEngine(settings, { ...home(config, CONTEXTS), ...env });
    expect(engine.host).toBe(host);
    if (namedBy !== undefined) expect(engine.namedBy).toBe(namedBy);
  });

  test('the current context is that of DOCKER_CONFIG, and named with its file', () => {
    home('{"currentContext": "nas"}', CONTEXTS);
    const config = path.join(folder(), '.docker');
    const engine = resolveEngine({}, { HOME: '/nonexistent', DOCKER_CONFIG: config });
    expect(describeEngine(engine)).toBe(`Docker context nas (currentContext of ${config}/config.json), ssh://root@nas`);
    expect(describeEngine(resolveEngine({}, { HOME: '/nonexistent' }))).toBe(
      'the default socket, unix:///var/run/docker.sock',
    );
  });
});

describe('tcp:// comes with what verifies it', () => {
  test.each([
    ['certPath beside docker.host', { host: 'tcp://nas' }, {}, 'tcp://nas:2376', 'tls'],
    ['DOCKER_CERT_PATH beside DOCKER_HOST', {}, { DOCKER_HOST: 'tcp://nas:1234' }, 'tcp://nas:1234', 'tls'],
    ['IPv6', {}, { DOCKER_HOST: 'tcp://[2001:db8::1]' }, 'tcp://[2001:db8::1]:2376', 'tls'],
  ])('%s', (_case, settings, env, host, transport) => {
    const certPath = certificates(path.join(folder(), 'pki'));
    const given = 'host' in settings ? { ...settings, certPath } : settings;
    const variables = 'host' in settings ? env : { ...env, DOCKER_CERT_PATH: certPath };
    expect(resolveEngine(given, variables)).toMatchObject({ host, transport, certPath });
  });

  test('DOCKER_TLS_VERIFY alone takes the material of ~/.docker, and by default an engine of this machine', () => {
    certificates(path.join(folder(), '.docker'));
    const env = { HOME: folder(), DOCKER_TLS_VERIFY: '1' };
    const certPath = path.join(folder(), '.docker');
    expect(resolveEngine({}, { ...env, DOCKER_HOST: 'tcp://nas:2376' })).toMatchObject({ transport: 'tls', certPath });
    expect(resolveEngine({}, env)).toMatchObject({ host: 'tcp://localhost:2376', transport: 'tls', certPath });
  });

  test('a context has its own', () => {
    const env = home('{"currentContext": "nas"}', { nas: { Host: 'tcp://nas:2376', SkipTLSVerify: false } }, ['nas']);
    const { transport, certPath } = resolveEngine({}, env);
    expect(transport).toBe('tls');
    expect(certPath).toMatch(/\.docker\/contexts\/tls\/[0-9a-f]{64}\/docker$/);
  });

  test.each(['tcp://127.0.0.1', 'tcp://localhost:2375', 'tcp://[::1]:2375'])('%s may go without', (host) => {
    expect(resolveEngine({ host }, {})).toMatchObject({ transport: 'tcp', host: host.replace(/1$/, '1:2375') });
  });
});

describe('refused before anything is touched', () => {
  const shape = 'must be unix:///path, ssh://[user@]host[:port] or tcp://host:port';
  const plain = 'must not be tcp:// without TLS except on loopback, because secrets go that way';

  test.each([
    ['a name', { DOCKER_HOST: 'nas' }, `DOCKER_HOST: ${shape}, got: nas`],
    ['an unknown scheme', { DOCKER_HOST: 'https://nas' }, `DOCKER_HOST: ${shape}, got: https://nas`],
    ['a relative socket', { DOCKER_HOST: 'unix://docker.sock' }, `DOCKER_HOST: ${shape}, got: unix://docker.sock`],
    ['a password', { DOCKER_HOST: 'ssh://me:secret@nas' }, `DOCKER_HOST: ${shape}, got: ssh://me:…@nas`],
    [
      'an option for ssh',
      { DOCKER_HOST: 'ssh://-oProxyCommand=x' },
      `DOCKER_HOST: ${shape}, got: ssh://-oProxyCommand=x`,
    ],
    // OpenSSH puts both into the commands of ~/.ssh/config
    ['a host for a shell', { DOCKER_HOST: 'ssh://$(id)' }, `DOCKER_HOST: ${shape}, got: ssh://$(id)`],
    ['a user for a shell', { DOCKER_HOST: 'ssh://%60id%60@nas' }, `DOCKER_HOST: ${shape}, got: ssh://%60id%60@nas`],
    ['a user that is an option', { DOCKER_HOST: 'ssh://-oX@nas' }, `DOCKER_HOST: ${shape}, got: ssh://-oX@nas`],
    ['a user that is no text', { DOCKER_HOST: 'ssh://%ff@nas' }, `DOCKER_HOST: ${shape}, got: ssh://%ff@nas`],
    ['a path for a shell', { DOCKER_HOST: 'ssh://nas/a;b' }, `DOCKER_HOST: ${shape}, got: ssh://nas/a;b`],
    ['plain tcp', { DOCKER_HOST: 'tcp://nas:2375' }, `DOCKER_HOST: ${plain}, got: tcp://nas:2375`],
    [
      'a name that only begins like loopback',
      { DOCKER_HOST: 'tcp://127.0.0.1.example.org:2375' },
      `DOCKER_HOST: ${plain}, got: tcp://127.0.0.1.example.org:2375`,
    ],
  ])('%s', (_case, env, message) => {
    expect(thrownBy(() => resolveEngine({}, env)).message).toBe(message);
  });

  test('a client certificate without the CA certificate: the provider would verify nothing', () => {
    const certPath = certificates(path.join(folder(), 'pki'), ['cert.pem', 'key.pem']);
    expect(
      thrownBy(() => resolveEngine({}, { DOCKER_HOST: 'tcp://nas:2376', DOCKER_CERT_PATH: certPath })),
    ).toMatchObject({
      message: `DOCKER_HOST: tcp://nas:2376 needs ca.pem, cert.pem, key.pem in ${certPath}, which has no ca.pem`,
      hint: 'put the CA certificate of the engine and a client certificate with its key there; no engine goes unverified',
    });
  });

  test.each([
    [
      'a context that is not there',
      {},
      `Docker context nas (DOCKER_CONTEXT) does not exist in HOME/.docker/contexts`,
      '`docker context ls` lists those that do; `docker context use default` goes back',
    ],
    [
      'a context that verifies nothing',
      { nas: { Host: 'tcp://nas:2376', SkipTLSVerify: true } },
      'Docker context nas (DOCKER_CONTEXT) skips the verification of its engine (SkipTLSVerify), and secrets go that way',
      'docker context update nas --docker "host=tcp://nas:2376,ca=…,cert=…,key=…"',
    ],
    [
      'a context in the clear',
      { nas: { Host: 'tcp://nas:2375' } },
      `Docker context nas (DOCKER_CONTEXT): ${plain}, got: tcp://nas:2375`,
      'use ssh://, or name a folder with ca.pem, cert.pem, key.pem in DOCKER_CERT_PATH',
    ],
    [
      'a context without an engine',
      { nas: {} },
      `HOME/.docker/contexts/meta/${createHash('sha256').update('nas').digest('hex')}/meta.json is not what the docker command writes`,
      'it says which Docker engine is meant; DOCKER_HOST or docker.host say so, too',
    ],
  ])('%s', (_case, contexts, message, hint) => {
    const env = { ...home(undefined, contexts), DOCKER_CONTEXT: 'nas' };
    const error = thrownBy(() => resolveEngine({}, env));
    expect(error).toMatchObject({ message: message.replace('HOME', folder()), hint });
  });
});

describe('one voice', () => {
  test('docker.host leaves no variable of another engine, and keeps what is of none', () => {
    const env: NodeJS.ProcessEnv = {
      DOCKER_HOST: 'tcp://other:2376',
      DOCKER_CONTEXT: 'other',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: '/other',
      DOCKER_CONFIG: '/logins',
    };
    pinEngine({ host: 'ssh://nas' }, env);
    expect(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))).toEqual({
      DOCKER_HOST: 'ssh://nas',
      DOCKER_CONFIG: '/logins',
      EBS_ENGINE_NAMED_BY: 'docker.host',
    });
    expect(describeEngine(resolveEngine({}, env))).toBe('docker.host, ssh://nas');
  });

  test('what a child is told leads to the same engine', () => {
    const certPath = certificates(path.join(folder(), 'pki'));
    for (const settings of [{ host: 'ssh://me@nas:22' }, { host: 'tcp://nas', certPath }, { host: 'unix:///a.sock' }]) {
      const engine = resolveEngine(settings, {});
      expect(resolveEngine({}, engineVariables(engine))).toEqual(engine);
    }
  });

  test('ssh is called as the docker command calls it, and asks nobody', () => {
    const TIMES = ['-o', 'ConnectTimeout=10', '-o', 'ServerAliveInterval=15'];
    const options = ['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', ...TIMES, '-T'];
    const called = (host: string) => sshArguments(resolveEngine({ host }, {}));
    expect(called('ssh://nas')).toEqual([...options, '--', 'nas', 'docker', 'system', 'dial-stdio']);
    expect(called('ssh://me@nas:2222/run/user/1000/docker.sock')).toEqual([
      ...[...options, '-l', 'me', '-p', '2222', '--', 'nas'],
      ...['docker', '--host', 'unix:///run/user/1000/docker.sock', 'system', 'dial-stdio'],
    ]);
  });

  test.each([
    ['unix:///var/run/docker.sock', undefined],
    ['ssh://localhost', undefined],
    ['tcp://127.0.0.1:2375', undefined],
    ['ssh://deploy@nas', 'nas'],
  ])('the machine of %s', (host, machine) => {
    expect(remoteMachine(resolveEngine({ host }, {}))).toBe(machine);
  });
});
