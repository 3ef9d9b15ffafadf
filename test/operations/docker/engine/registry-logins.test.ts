import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { registryLogin } from '../../../../operations/docker/engine/registry-logins';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const IMAGE = 'registry.example.com:5000/ebs/kes@sha256:0';

function configFile(content: unknown): string {
  const file = path.join(folder(), 'config.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const encoded = (login: string): string => Buffer.from(login).toString('base64');

test('the login of the registry of an image; a password may have colons', () => {
  const file = configFile({ auths: { 'registry.example.com:5000': { auth: encoded('puller:a:b') } } });
  expect(registryLogin(file, IMAGE)).toEqual({ username: 'puller', password: 'a:b' });
});

test('none for another registry', () => {
  const file = configFile({ auths: { 'registry.example.com': { auth: encoded('puller:x') } } });
  expect(registryLogin(file, IMAGE)).toBeUndefined();
});

test.each(['ebs/kes@sha256:0', 'docker.io/ebs/kes@sha256:0', 'index.docker.io/ebs/kes@sha256:0'])(
  '%s is on Docker Hub, under the name that docker login has for it',
  (reference) => {
    const file = configFile({ auths: { 'https://index.docker.io/v1/': { auth: encoded('hub:x') } } });
    expect(registryLogin(file, reference)).toEqual({ username: 'hub', password: 'x' });
  },
);

describe('a credential helper', () => {
  const PATH = process.env.PATH ?? '';
  afterEach(() => {
    process.env.PATH = PATH;
  });

  /** Answers as helpers do: the registry comes on stdin, the login goes to stdout. */
  function helper(script: string): string {
    const program = path.join(folder(), 'docker-credential-test');
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    process.env.PATH = `${folder()}:${PATH}`;
    return configFile({ credHelpers: { 'registry.example.com:5000': 'test' } });
  }

  test('is asked for the registry', () => {
    const file = helper('read registry; echo "{\\"Username\\": \\"of $registry\\", \\"Secret\\": \\"s\\"}"');
    expect(registryLogin(file, IMAGE)).toEqual({ username: 'of registry.example.com:5000', password: 's' });
  });

  test('that has no login is named, and what it says is not repeated', () => {
    const file = helper('echo secret; exit 1');
    expect(() => registryLogin(file, IMAGE)).toThrow(
      /^docker-credential-test cannot be asked for a login of registry\.example\.com:5000: it has no login$/,
    );
  });

  test('that is not there is named', () => {
    expect(() => registryLogin(configFile({ credsStore: 'absent' }), IMAGE)).toThrow(
      'docker-credential-absent cannot be asked for a login of registry.example.com:5000: it is not on PATH',
    );
  });
});

test('a file that is not there, or is none of Docker, is named without what is in it', () => {
  expect(() => registryLogin('/nowhere/config.json', IMAGE)).toThrow(
    /^images\.dockerConfigFile: \/nowhere\/config\.json cannot be read: /,
  );
  const file = configFile('{"auths": {"x": {"auth": "c2VjcmV0"');
  expect(() => registryLogin(file, IMAGE)).toThrow(
    new RegExp(`^images\\.dockerConfigFile: ${file} is not a configuration file of Docker$`),
  );
});
