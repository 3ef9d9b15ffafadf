import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { DEFAULT_SOCKET, type EngineAddress } from '../../../config/docker/docker-engine';
import { UsageError } from '../../../operations/lib/errors';
import { checkDisk } from '../../../operations/toolchain/disk';
import { engineUnreachable, askEngine, mayStartEngine } from '../../../operations/docker/engine/docker-engine';
import { findProgram, isStaticElf, thisMachine } from '../../../operations/lib/machine';
import {
  checkTerraform,
  install,
  missingBusybox,
  missingEngine,
  missingGo,
} from '../../../operations/toolchain/prerequisites';
import type { StepContext } from '../../../operations/lib/step';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const context: StepContext = {
  report: () => undefined,
  announce: () => undefined,
  signal: new AbortController().signal,
};

describe('what is missing', () => {
  test('is named at once with the commands for Debian where this is not root', async () => {
    const error = await rejectionOf(
      install(
        [missingBusybox, missingEngine('connect ENOENT /var/run/docker.sock')],
        { apt: true, root: false },
        context,
      ),
    );
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(`this machine lacks:
  - a statically linked busybox, the shell of the images: apt-get install --no-install-recommends busybox-static
  - a Docker Engine that answers (connect ENOENT /var/run/docker.sock): apt-get install --no-install-recommends docker.io iptables`);
    expect(error).toMatchObject({
      hint: 'Install what is listed, then run this again; as root, this command runs apt-get itself.',
    });
  });

  test('is named with what to install elsewhere', async () => {
    const missing = [missingGo('go version go1.19.8 linux/amd64', true), missingEngine('connect ECONNREFUSED')];
    const error = await rejectionOf(install(missing, { apt: false, root: true }, context));
    expect(error.message).toBe(`this machine lacks:
  - Go 1.21 or newer, which builds images and providers (found: go version go1.19.8 linux/amd64): install it from https://go.dev/dl/ and put its bin folder on PATH
  - a Docker Engine that answers (connect ECONNREFUSED): install Docker Engine, https://docs.docker.com/engine/install/, and start it`);
  });

  test('installs nothing where a part of it has no package', async () => {
    const error = await rejectionOf(
      install([missingGo(undefined, false), missingBusybox], { apt: true, root: true }, context),
    );
    expect(error.message).toContain('(found: no go on PATH)');
  });
});

describe('Terraform', () => {
  test.each([
    ['Terraform v1.5.0\non linux_amd64', { flavour: 'terraform', version: '1.5.0' }],
    ['Terraform v1.12.0-beta1', { flavour: 'terraform', version: '1.12.0-beta1' }],
    ['OpenTofu v1.12.6', { flavour: 'tofu', version: '1.12.6' }],
  ])('%s will do', (printed, expected) => {
    expect(checkTerraform('/bin/terraform', printed)).toEqual({ file: '/bin/terraform', ...expected });
  });

  test.each([
    ['Terraform v1.4.7\non linux_amd64', 'Terraform v1.4.7'],
    ['OpenTofu v1.5.9', 'OpenTofu v1.5.9'],
    ['', 'no version'],
  ])('%s will not', (printed, got) => {
    expect(thrownBy(() => checkTerraform('/bin/terraform', printed)).message).toBe(
      `/bin/terraform must be Terraform 1.5 or newer, or OpenTofu 1.6 or newer, got: ${got}`,
    );
  });
});

describe('Docker Engine', () => {
  const SOCKET: EngineAddress = { host: DEFAULT_SOCKET, transport: 'unix' };
  const NAMED: EngineAddress = { host: 'ssh://backup', transport: 'ssh', namedBy: 'DOCKER_HOST' };

  test('is started here only by root on Debian, and never where a host is named', () => {
    expect(mayStartEngine({ apt: true, root: true }, SOCKET)).toBe(true);
    expect(mayStartEngine({ apt: true, root: true }, NAMED)).toBe(false);
    expect(mayStartEngine({ apt: true, root: false }, SOCKET)).toBe(false);
    expect(mayStartEngine({ apt: false, root: true }, SOCKET)).toBe(false);
  });

  test('that does not answer is named with the reason and the way out', () => {
    const named = engineUnreachable(new Error('connect ECONNREFUSED'), NAMED);
    expect(named.message).toBe('no Docker Engine answers at DOCKER_HOST, ssh://backup: connect ECONNREFUSED');
    const denied = engineUnreachable(new Error('connect EACCES /var/run/docker.sock'), SOCKET);
    expect(denied.hint).toMatch(/^This user may not use the socket: join the group docker/);
  });
});

test('Podman behind the socket is no Docker Engine', async () => {
  const socket = path.join(folder(), 'podman.sock');
  // what Podman 4.3 answers
  const Components = [
    { Name: 'Podman Engine', Version: '4.3.1' },
    { Name: 'Conmon', Version: '2.1.6' },
  ];
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ Version: '4.3.1', Arch: 'amd64', Components }));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  process.env.DOCKER_HOST = `unix://${socket}`;
  try {
    expect(await rejectionOf(askEngine())).toMatchObject({
      message: `Podman Engine 4.3.1 answers at DOCKER_HOST, unix://${socket}, and is no Docker Engine`,
      hint: 'Name a Docker Engine 20.10 or newer by docker.host, DOCKER_HOST or `docker context use`.',
    });
    Components.shift();
    await expect(askEngine()).resolves.toEqual({ version: '4.3.1', architecture: 'amd64' });
  } finally {
    delete process.env.DOCKER_HOST;
    server.closeAllConnections();
    server.close();
  }
});

describe('machine', () => {
  test.each([
    ['ID=debian\n', true],
    ['NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', true],
    ['ID="fedora"\nVARIANT_ID=debian\n', false],
  ])('%j has apt: %s', (text, apt) => {
    const file = path.join(folder(), 'os-release');
    writeFileSync(file, text);
    expect(thisMachine(file).apt).toBe(apt);
  });

  test('a program is found behind the one that is to be passed over, whatever link leads to it', () => {
    const [first, second] = [path.join(folder(), 'first'), path.join(folder(), 'second')];
    for (const bin of [first, second]) mkdirSync(bin);
    const shim = path.join(folder(), 'shim');
    for (const file of [shim, path.join(second, 'terraform')]) {
      writeFileSync(file, '');
      chmodSync(file, 0o755);
    }
    symlinkSync(shim, path.join(first, 'terraform'));
    const search = `${first}:${second}`;
    expect(findProgram('terraform', [], search)).toBe(path.join(first, 'terraform'));
    expect(findProgram('terraform', [shim], search)).toBe(path.join(second, 'terraform'));
    expect(findProgram('tofu', [], search)).toBeUndefined();
  });

  test('a program that needs a dynamic loader, or is none, is not static', () => {
    const copy = path.join(folder(), 'node');
    copyFileSync('/bin/ls', copy);
    expect(isStaticElf(copy)).toBe(false);
    writeFileSync(copy, '#!/bin/sh\n');
    expect(isStaticElf(copy)).toBe(false);
  });
});

test('a disk that is too small is refused with what is needed for what', async () => {
  const cache = path.join(folder(), 'not', 'there', 'yet');
  const error = await rejectionOf(
    checkDisk([
      { folder: cache, bytes: 7e17, purpose: 'programs' },
      { folder: folder(), bytes: 1e17, purpose: 'the linker' },
    ]),
  );
  expect(error.message).toMatch(/^not enough disk space: 800000000\.0 GB needed, \d+\.\d GB free\n/);
  expect(error.message).toContain(
    `\n  - 700000000.0 GB for programs in ${cache}\n  - 100000000.0 GB for the linker in `,
  );
  await expect(checkDisk([{ folder: cache, bytes: 1, purpose: 'programs' }])).resolves.toBeUndefined();
});
