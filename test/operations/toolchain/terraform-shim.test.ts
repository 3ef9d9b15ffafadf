import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';
import { tryLock } from '../../../operations/lib/lock';
import { writeTerraformSettings } from '../../../operations/toolchain/terraform-settings';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const at = (...parts: string[]) => path.join(realpathSync(folder()), ...parts);

/** Prints what it was called with. */
function fakeProgram(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(
    file,
    `#!/bin/sh
echo "program=$0"
echo "arguments=$*"
echo "config=\${TF_CLI_CONFIG_FILE-unset}"
echo "lock=\${TF_CLI_ARGS_providers_lock-unset}"
echo "cache=\${TF_PLUGIN_CACHE_DIR-unset}"
echo "checkpoint=\${CHECKPOINT_DISABLE-unset}"
echo "docker=\${DOCKER_HOST-unset} \${DOCKER_CONTEXT-unset} \${DOCKER_CERT_PATH-unset} \${DOCKER_CA_MATERIAL-unset}"
echo "proxies=\${NO_PROXY-unset} \${no_proxy-unset}"
exit 3
`,
    { mode: 0o755 },
  );
}

/** A clone with a space in its name, whose shim is linked into node_modules/.bin as npm does it. */
function makeClone(name = 'my clone'): string {
  const clone = at(name);
  const shim = path.join(clone, 'toolchain', 'terraform', 'bin', 'terraform');
  mkdirSync(path.dirname(shim), { recursive: true });
  cpSync(path.join(projectRoot, 'toolchain', 'terraform', 'bin', 'terraform'), shim);
  writeFileSync(path.join(clone, 'cdktf.json'), '{}');
  const bin = path.join(clone, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  for (const command of ['terraform', 'tofu'])
    symlinkSync('../../toolchain/terraform/bin/terraform', path.join(bin, command));
  return clone;
}

const binOf = (clone: string) => path.join(clone, 'node_modules', '.bin');

function call(command: string, env: Record<string, string>, args: string[] = ['init'], cwd = folder()) {
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...env, PATH: [env.PATH, '/usr/bin', '/bin'].filter(Boolean).join(':') },
  });
  const printed: Record<string, string> = {};
  for (const line of result.stdout.split('\n').filter((line) => line !== '')) {
    printed[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
  }
  return { printed, status: result.status, stderr: result.stderr };
}

/** PATH as npx makes it, with a real Terraform behind it. */
function pathWith(clone: string, ...folders: string[]): string {
  return [binOf(clone), ...folders].join(':');
}

function withMirror(clone: string): { mirror: string; config: string } {
  const mirror = at('mirror');
  mkdirSync(mirror, { recursive: true });
  writeTerraformSettings(path.join(clone, '.toolchain'), { mirror });
  return { mirror, config: path.join(clone, '.toolchain', 'terraform.rc') };
}

test('without a toolchain it is the first Terraform on PATH that is not itself', () => {
  const clone = makeClone();
  fakeProgram(at('real', 'terraform'));
  const env = { PATH: pathWith(clone, at('real')) };
  expect(call('terraform', env, ['plan', '-out=a b'])).toEqual({
    printed: {
      program: at('real', 'terraform'),
      arguments: 'plan -out=a b',
      config: 'unset',
      lock: 'unset',
      cache: 'unset',
      checkpoint: '1',
      docker: 'unset unset unset unset',
      proxies: 'unset unset',
    },
    status: 3,
    stderr: '',
  });
});

test('with providers from the mirror it brings the configuration and locks from there', () => {
  const clone = makeClone();
  const { mirror, config } = withMirror(clone);
  fakeProgram(at('real', 'terraform'));
  expect(call('terraform', { PATH: pathWith(clone, at('real')) }).printed).toMatchObject({
    config,
    lock: `-fs-mirror=${mirror}`,
  });
});

describe('in a stack, which says itself which Docker engine it is for,', () => {
  const DOCKER = {
    DOCKER_HOST: 'ssh://other',
    DOCKER_CONTEXT: 'other',
    DOCKER_CERT_PATH: '/o',
    DOCKER_CA_MATERIAL: 'o',
  };

  function inStack(host: string, env: Record<string, string>, vault?: string, variable?: string) {
    const clone = makeClone();
    fakeProgram(at('real', 'terraform'));
    const stack = {
      provider: {
        docker: [{ host, registry_auth: [{ address: 'https://registry:5000' }] }],
        ...(vault === undefined ? {} : { vault: [{ address: vault, max_retries: 5 }] }),
      },
      ...(variable === undefined ? {} : { variable: { vault_address: { default: variable, type: 'string' } } }),
    };
    writeFileSync(at('cdk.tf.json'), JSON.stringify(stack, null, 2));
    return call('terraform', { PATH: pathWith(clone, at('real')), ...env }, ['plan']).printed;
  }

  test('variables of another engine go no further, and elsewhere they do', () => {
    expect(inStack('ssh://nas', DOCKER).docker).toBe('unset unset unset unset');
    rmSync(at('cdk.tf.json'));
    const env = { PATH: pathWith(at('my clone'), at('real')), ...DOCKER };
    expect(call('terraform', env).printed.docker).toBe('ssh://other other /o o');
  });

  test.each([
    ['tcp://nas.example.org:2376', { NO_PROXY: 'a.example' }, 'a.example,nas.example.org'],
    ['tcp://nas.example.org:2376', { no_proxy: 'b.example' }, 'b.example,nas.example.org'],
    ['tcp://[2001:db8::1]:2376', {}, ',2001:db8::1'],
    ['ssh://nas', {}, 'unset'],
    ['unix:///var/run/docker.sock', {}, 'unset'],
  ])('%s is reached without a proxy', (host, env, proxies) => {
    expect(inStack(host, env).proxies).toBe(`${proxies} ${proxies}`);
  });

  test.each([
    ['https://vault.example.org:8200', { NO_PROXY: 'a.example' }, 'a.example,vault.example.org'],
    ['https://vault.example.org', { no_proxy: 'b.example' }, 'b.example,vault.example.org'],
    ['https://192.0.2.7:18200', {}, ',192.0.2.7'],
    ['https://[2001:db8::7]:8200', {}, ',2001:db8::7'],
  ])('the Vault at %s is reached without a proxy', (vault, env, proxies) => {
    expect(inStack('unix:///var/run/docker.sock', env, vault).proxies).toBe(`${proxies} ${proxies}`);
  });

  test('so is that of several hosts, whose address is a variable', () => {
    const { proxies } = inStack('ssh://nas', {}, '${var.vault_address}', 'https://192.0.2.11:8200');
    expect(proxies).toBe(',192.0.2.11 ,192.0.2.11');
  });
});

describe('while another command holds the lock of the environment', () => {
  const lock = () => at('state "1"', 'lock');

  async function stackOfLockedEnvironment() {
    const clone = makeClone();
    fakeProgram(at('real', 'terraform'));
    writeFileSync(at('cdk.tf.json'), JSON.stringify({ '//': { metadata: {}, lock: lock() } }, null, 2));
    const held = await tryLock(lock(), 'deploying local');
    if (!('release' in held)) throw new Error('the lock is taken');
    return { held, env: { PATH: pathWith(clone, at('real')) } };
  }

  test.each(['apply', 'destroy'])('`terraform %s` is refused, and runs again afterwards', async (command) => {
    const { held, env } = await stackOfLockedEnvironment();
    const refused = call('terraform', env, [command, '-auto-approve']);
    expect(refused).toMatchObject({ status: 127, printed: {} });
    expect(refused.stderr).toMatch(
      new RegExp(
        `^error: process ${process.pid} has been deploying local since \\S+\nhint: wait until it is done; nothing was changed\n$`,
      ),
    );
    held.release();
    expect(call('terraform', env, [command]).printed.arguments).toBe(command);
  });

  test('a plan is not refused, and nor is what that command itself runs', async () => {
    const { held, env } = await stackOfLockedEnvironment();
    expect(call('terraform', env, ['plan']).printed.arguments).toBe('plan');
    const own = { ...env, EBS_LOCKS_HELD: `:/other:${lock()}:` };
    expect(call('terraform', own, ['apply']).printed.arguments).toBe('apply');
    held.release();
  });

  test('Terraform holds the lock until it ends, so that no other command begins', async () => {
    const { held, env } = await stackOfLockedEnvironment();
    held.release();
    writeFileSync(at('real', 'terraform'), '#!/bin/sh\necho runs\nread -r line\n', { mode: 0o755 });
    const child = spawn('terraform', ['apply'], {
      cwd: folder(),
      env: { PATH: `${env.PATH}:/usr/bin:/bin` },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(await tryLock(lock(), 'rotating')).toMatchObject({ pid: child.pid, what: 'running terraform apply' });
    const ended = once(child, 'exit');
    child.stdin.end('\n');
    await ended;
    const after = await tryLock(lock(), 'rotating');
    expect(after).toHaveProperty('release');
    if ('release' in after) after.release();
  });
});

test('the plugin cache that all runs of cdktf share is not used for providers from the mirror, else it is', () => {
  const clone = makeClone();
  fakeProgram(at('real', 'terraform'));
  const env = { PATH: pathWith(clone, at('real')), TF_PLUGIN_CACHE_DIR: at('cache') };
  expect(call('terraform', env).printed.cache).toBe(at('cache'));
  withMirror(clone);
  expect(call('terraform', env).printed.cache).toBe('unset');
});

test('the user’s own arguments for locking stay', () => {
  const clone = makeClone();
  const { mirror } = withMirror(clone);
  fakeProgram(at('real', 'terraform'));
  const env = { PATH: pathWith(clone, at('real')), TF_CLI_ARGS_providers_lock: '-platform=linux_arm64' };
  expect(call('terraform', env).printed.lock).toBe(`-platform=linux_arm64 -fs-mirror=${mirror}`);
});

test('a configuration that the user brings is respected', () => {
  const clone = makeClone();
  withMirror(clone);
  fakeProgram(at('real', 'terraform'));
  writeFileSync(at('own.tfrc'), '');
  const env = { PATH: pathWith(clone, at('real')), TF_CLI_CONFIG_FILE: at('own.tfrc') };
  expect(call('terraform', env).printed).toMatchObject({ config: at('own.tfrc'), lock: 'unset' });
});

test('a configuration that does not exist was not brought', () => {
  const clone = makeClone();
  fakeProgram(at('real', 'terraform'));
  const env = { PATH: pathWith(clone, at('real')), TF_CLI_CONFIG_FILE: at('missing.tfrc') };
  expect(call('terraform', env).printed.config).toBe('unset');
  const { config } = withMirror(clone);
  expect(call('terraform', env).printed.config).toBe(config);
});

test('providers that were deleted from the cache are an error that says how to get them back', () => {
  const clone = makeClone();
  const { mirror } = withMirror(clone);
  rmSync(mirror, { recursive: true });
  fakeProgram(at('real', 'terraform'));
  expect(call('terraform', { PATH: pathWith(clone, at('real')) })).toMatchObject({
    status: 127,
    stderr: `error: the providers built for this project are gone: ${mirror} does not exist
hint: run ./scripts/toolchain to build them again
`,
  });
});

test('without Terraform it is OpenTofu: first the one on PATH, then the one in the cache', () => {
  const clone = makeClone();
  fakeProgram(at("cache's", 'tofu'));
  writeTerraformSettings(path.join(clone, '.toolchain'), { opentofu: at("cache's", 'tofu') });
  expect(call('terraform', { PATH: pathWith(clone) }).printed.program).toBe(at("cache's", 'tofu'));
  expect(call('tofu', { PATH: pathWith(clone) }).printed.program).toBe(at("cache's", 'tofu'));
  fakeProgram(at('real', 'tofu'));
  expect(call('terraform', { PATH: pathWith(clone, at('real')) }).printed.program).toBe(at('real', 'tofu'));
});

test('with neither it says what to install', () => {
  expect(call('terraform', { PATH: pathWith(makeClone()) })).toMatchObject({
    status: 127,
    stderr: `error: no terraform on PATH, and no OpenTofu in this project's toolchain cache
hint: install Terraform 1.5 or newer (https://developer.hashicorp.com/terraform/install), or run ./scripts/toolchain, which builds OpenTofu with Go
`,
  });
});

test('two clones on one PATH do not call each other for ever', () => {
  const one = makeClone('one');
  const two = makeClone('two');
  fakeProgram(at('real', 'terraform'));
  const env = { PATH: [binOf(one), binOf(two), at('real')].join(':') };
  expect(call('terraform', env).printed.program).toBe(at('real', 'terraform'));
  expect(call('terraform', { PATH: [binOf(one), binOf(two)].join(':') }).status).toBe(127);
});
