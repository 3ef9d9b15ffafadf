import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UNSEAL_SCRIPT } from '../../../constructs/vault/unseal-script';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

/** Runs the loop until the program was called so often, by default once, with a fake `vault` that answers `status` and records how it is called. */
async function runOnce(
  vault: { status: number; refuses?: string },
  least = vault.status === 2 ? 3 : 1,
): Promise<{ calls: string[]; output: string }> {
  const calls = path.join(folder(), 'calls');
  const files = path.join(folder(), 'files');
  const script = path.join(folder(), 'unseal.sh');
  // where no PATH leads, and with a name of its own
  const program = path.join(folder(), 'other vault');
  mkdirSync(files);
  writeFileSync(path.join(files, 'unseal-share-1'), 'first secret');
  writeFileSync(path.join(files, 'unseal-share-2'), 'second secret');
  writeFileSync(calls, '');
  writeFileSync(
    program,
    `#!/bin/sh
echo "$*" >> ${calls}
case "$*" in
  status) exit ${vault.status} ;;
  *${vault.refuses ?? 'nothing'}) echo "Error: no" >&2; exit 2 ;;
esac
`,
    { mode: 0o755 },
  );
  const looped = UNSEAL_SCRIPT.replace('sleep 2', 'sleep 0.1');
  expect(looped).not.toBe(UNSEAL_SCRIPT);
  writeFileSync(script, looped.replaceAll('/files/', `${files}/`).replaceAll('/tmp/error', `${folder()}/error`));

  const child = spawn('sh', [script, program]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const seen = (): string[] => readFileSync(calls, 'utf8').trim().split('\n').filter(Boolean);
  const last = vault.status === 2 ? 'unseal-share-2' : vault.status > 2 ? 'neither' : '';
  const said = (): boolean => output.includes(last);
  await waitFor({ what: 'the loop to be done once', timeoutMs: 20_000, intervalMs: 20 }, () =>
    Promise.resolve((seen().length >= least && said()) || new NotYet(`${seen().join('; ')}\n${output}`)),
  );
  child.kill('SIGTERM');
  // it ends at once, not after its pause: docker stop waits for it
  expect(await ended).toBe(0);
  // the pause that it left behind holds them
  child.stdout.destroy();
  child.stderr.destroy();
  return { calls: seen().map((call) => call.replaceAll(files, '/files')), output: output.replaceAll(folder(), '') };
}

test('a sealed Vault gets every share, from a file and not from an argument', async () => {
  const { calls, output } = await runOnce({ status: 2 });

  expect(calls).toEqual([
    'status',
    'write -format=json sys/unseal key=@/files/unseal-share-1',
    'write -format=json sys/unseal key=@/files/unseal-share-2',
  ]);
  expect(output).toBe('gave /files/unseal-share-1 to Vault\ngave /files/unseal-share-2 to Vault\n');
});

test('shares that Vault has taken are not given again while it opens itself', async () => {
  const { calls } = await runOnce({ status: 2 }, 6);

  expect(calls.filter((call) => call !== 'status')).toHaveLength(2);
});

test('shares are given again where Vault refused one', async () => {
  const { calls } = await runOnce({ status: 2, refuses: 'share-1' }, 6);

  expect(calls.filter((call) => call.endsWith('share-2'))).toHaveLength(2);
});

test.each([
  ['unsealed', 0],
  ['not reachable', 1],
])('a Vault that is %s is left alone', async (_, status) => {
  const { calls, output } = await runOnce({ status });

  expect(calls).toEqual(['status']);
  expect(output).toBe('');
});

test('a program that is none, or fails, is said', async () => {
  const { calls, output } = await runOnce({ status: 127 });

  expect(calls).toEqual(['status']);
  expect(output).toBe('/other vault status exited with 127, neither 0, 1 nor 2: Vault is not unsealed while it does\n');
});

test('a share that Vault refuses is logged by its name', async () => {
  const { output } = await runOnce({ status: 2, refuses: 'share-1' });

  expect(output).toBe('Vault refused /files/unseal-share-1:\nError: no\ngave /files/unseal-share-2 to Vault\n');
});
