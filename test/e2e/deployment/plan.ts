import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { tryLock } from '../../../operations/lib/lock';
import { type PlanReport, planReport } from '../../../operations/terraform/plan/report';
import type { CommandOptions, CommandResult } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { STACKS, type TestEnvironment } from '../../helpers/e2e/test-environment';

const PROGRAMS = ['vault', 'vault-unsealer', 'kes', 'minio'] as const;

/** A plan says exactly what a deploy would change, and changes nothing. */
export function describePlan(subject: () => { environment: TestEnvironment }): void {
  describe('planning', () => {
    test('what is deployed is no change, exit code 0: what was just renewed is not due again', async () => {
      const { environment } = subject();
      const { result, report } = await plan(environment);
      expect(result.code).toBe(0);
      expect(report).toEqual({
        version: 1,
        environment: environment.name,
        outcome: 'no-change',
        stacks: STACKS.map((stack) => ({
          stack: `${environment.name}-${stack}`,
          outcome: 'no-change',
          changes: [],
          drift: [],
          outputs: [],
          after: [],
          destroys: 0,
          problems: [],
        })),
      });
      measured('unchanged ./scripts/plan', result.seconds);
    });

    test('a changed file is exactly its changes, for programs and for people, exit code 2', async () => {
      const { environment } = subject();
      const { result, report } = await withFile(environment, planned, () => plan(environment));
      expect(result.code).toBe(2);
      expect(changesOf(report)).toEqual({
        foundation: [],
        vault: [],
        keystore: ['run write-kes-configuration because of input.configuration'],
        kes: ['run create-master-keys because of input.keys'],
        minio: [
          'update docker_container.Minio_Server: memory, memory_swap',
          'run provision-buckets because of input.buckets',
        ],
        checks: ['run run-checks because of buckets, kes configuration, keys'],
      });
      expect(report.stacks.map(({ outcome }) => outcome)).toEqual([
        'no-change',
        'no-change',
        'changes',
        'changes',
        'changes',
        'changes',
      ]);
      expect(report.stacks.at(-1)?.after).toEqual(
        ['keystore', 'kes', 'minio'].map((name) => `${environment.name}-${name}`),
      );
      const concerns = report.stacks.flatMap(({ changes }) => changes.flatMap((change) => change.concerns ?? []));
      expect(concerns).toEqual(['key planned-key (new)', 'bucket only-planned (new)']);
      expect(result.stderr).toContain(`Plan of ${environment.name}: 1 to change, 4 to run\n`);
      expect(result.stderr).toMatch(
        /^ {2}run provision-buckets \(input\.buckets\): terraform_data\.Buckets_\w+: bucket only-planned \(new\)$/m,
      );
    });

    test('what somebody did by hand is drift, exit code 2', async () => {
      const { environment } = subject();
      const container = environment.docker.getContainer(environment.containerName('minio'));
      const { HostConfig } = await container.inspect();
      const limits = (bytes: number) => ({ Memory: bytes, MemorySwap: bytes });
      await container.update(limits((HostConfig.Memory ?? 0) + 64 * 1024 * 1024));
      try {
        const { result, report } = await plan(environment);
        expect(result.code).toBe(2);
        expect(changesOf(report).minio).toEqual(['update docker_container.Minio_Server: memory, memory_swap']);
        expect(report.stacks.flatMap(({ drift }) => drift)).toEqual([
          {
            address: expect.stringMatching(/^docker_container\.Minio_Server_/) as string,
            type: 'docker_container',
            actions: ['update'],
            attributes: ['memory', 'memory_swap'],
          },
        ]);
      } finally {
        await container.update(limits(HostConfig.Memory ?? 0));
      }
    });

    test('what was never deployed is created, exit code 2, and leaves no folder', async () => {
      const { environment } = subject();
      const name = `${environment.name}-new`;
      const directory = path.join(environment.folder, 'never-deployed');
      const { result, report } = await withFile(
        environment,
        (settings) => ({ ...settings, name, state: { backend: 'local', directory } }),
        () => plan(environment),
      );
      expect(result.code).toBe(2);
      expect(report.stacks.map(({ outcome }) => outcome)).toEqual([
        'changes',
        'changes',
        'unknown',
        'changes',
        'changes',
        'unknown',
      ]);
      const changes = report.stacks.flatMap((stack) => stack.changes);
      expect(new Set(changes.flatMap(({ actions }) => actions))).toEqual(new Set(['create']));
      // everything that the same settings made when they were deployed
      expect(changes).toHaveLength(resourcesOf(environment).length);
      expect(existsSync(directory)).toBe(false);
    });

    test('while somebody changes the environment there is no plan, exit code 1', async () => {
      const { environment } = subject();
      const lock = await tryLock(environment.state.lock, 'testing');
      if (!('release' in lock)) throw new Error('the lock is taken');
      try {
        const result = await environment.script('plan', ['--json']);
        expect(result).toMatchObject({ code: 1, stdout: '' });
        expect(result.stderr).toMatch(
          /error: the environment is being changed: process \d+ \(.*\) has been testing since/,
        );
      } finally {
        lock.release();
      }
    });

    test('a state that cannot be read is an error of that stack, exit code 1', async () => {
      const { environment } = subject();
      const file = path.join(environment.state.terraform, 'kes.tfstate');
      const good = readFileSync(file);
      writeFileSync(file, 'not a state');
      try {
        const result = await environment.script('plan', ['--json']);
        expect(result.code).toBe(1);
        const { outcome, stacks } = planReport.parse(JSON.parse(result.stdout));
        expect(outcome).toBe('error');
        const broken = stacks.filter((stack) => stack.outcome === 'error').map(({ stack }) => stack);
        // the checks read that state, too
        expect(broken).toEqual([`${environment.name}-kes`, `${environment.name}-checks`]);
        expect(result.stderr).toContain(`error: ${environment.name}-kes cannot be planned:`);
      } finally {
        writeFileSync(file, good);
      }
    });

    test.each<[string, CommandOptions, readonly string[], number, RegExp]>([
      [
        'without Docker',
        { env: { DOCKER_HOST: 'unix:///nonexistent.sock' } },
        [],
        1,
        /error: no Docker Engine answers at DOCKER_HOST, unix/,
      ],
      ['of two forms at once', {}, ['--json', '--markdown'], 64, /error: --json or --markdown, not both/],
    ])('%s it says why', async (_, options, args, code, message) => {
      const result = await subject().environment.script('plan', args, options);
      expect(result).toMatchObject({ code, stdout: '' });
      expect(result.stderr).toMatch(message);
    });

    // S3 would refuse it in the middle of the deploy, when other changes were applied already
    test('object lock that was declared is not taken away: plan and up refuse before anything is changed', async () => {
      const { environment } = subject();
      const without = ({ buckets, minio, ...settings }: Settings): object => ({
        ...settings,
        minio: { ...minio, memoryMb: 1100 },
        buckets: (buckets as object[]).map((bucket) => ({ ...bucket, objectLock: false })),
      });
      const life = await environment.lifeOf('minio');
      await withFile(environment, without, async () => {
        for (const script of ['plan', 'up'] as const) {
          const result = await environment.script(script);
          expect(result).toMatchObject({ code: 64, stdout: '' });
          expect(result.stderr).toContain('bucket archive exists with object lock, but is declared without it');
          expect(result.stderr).toContain('hint: write objectLock: true for it, or declare a bucket of another name');
        }
      });
      expect(await environment.lifeOf('minio')).toBe(life);
    });

    test('a broken file is a wrong call, exit code 64', async () => {
      const { environment } = subject();
      const result = await withFile(
        environment,
        (settings) => ({ ...settings, surprise: true }),
        () => environment.script('plan'),
      );
      expect(result).toMatchObject({ code: 64, stdout: '' });
      expect(result.stderr).toContain('surprise: is not a setting');
    });
  });
}

type Settings = Record<string, unknown> & { minio: Record<string, unknown>; buckets: unknown[] };

/** Another memory limit, and a bucket under a key of its own. */
function planned({ minio, buckets, ...settings }: Settings): object {
  return {
    ...settings,
    minio: { ...minio, memoryMb: 1100 },
    buckets: [...buckets, { name: 'only-planned', encryption: { type: 'sse-kms', key: 'planned-key' } }],
  };
}

const terraformState = z.object({
  resources: z.array(z.object({ mode: z.string(), type: z.string(), instances: z.array(z.unknown()) })),
});

/** The type of each resource that is deployed. */
function resourcesOf({ state }: TestEnvironment): string[] {
  return STACKS.flatMap((stack) => {
    const text = readFileSync(path.join(state.terraform, `${stack}.tfstate`), 'utf8');
    return terraformState
      .parse(JSON.parse(text))
      .resources.filter(({ mode }) => mode === 'managed')
      .flatMap(({ type, instances }) => instances.map(() => type));
  });
}

/** Runs something with another environment file, and puts the old one back. */
async function withFile<T>(
  environment: TestEnvironment,
  change: (settings: Settings) => object,
  action: () => Promise<T>,
): Promise<T> {
  const text = readFileSync(environment.file, 'utf8');
  writeFileSync(environment.file, stringify(change(parse(text) as Settings)));
  try {
    return await action();
  } finally {
    writeFileSync(environment.file, text);
  }
}

/** A plan as JSON, after which everything must be as it was before. */
async function plan(environment: TestEnvironment): Promise<{ result: CommandResult; report: PlanReport }> {
  // the file may name another one at the moment
  const root = path.join(environment.folder, 'state');
  const before = await everythingOf(environment, root);
  const result = await environment.script('plan', ['--json']);
  expect(await everythingOf(environment, root)).toEqual(before);
  return { result, report: planReport.parse(JSON.parse(result.stdout)) };
}

/** Every file of the state folder, everything in Docker, and when each container was started. */
async function everythingOf(environment: TestEnvironment, root: string): Promise<unknown> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => `${file} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`)
    .sort();
  const lives = await Promise.all(PROGRAMS.map((program) => environment.lifeOf(program)));
  return { files, lives, dockerResources: await environment.dockerResources() };
}

/** What changes in each stack, by its short name. */
function changesOf({ environment, stacks }: PlanReport): Record<string, string[]> {
  return Object.fromEntries(
    stacks.map(({ stack, changes }) => [
      stack.slice(environment.length + 1),
      changes
        .map(({ actions, address, operation, attributes, replaces }) =>
          operation === undefined
            ? `${actions.join(' and ')} ${address.replace(/_[0-9A-F]{8}$/, '')}: ${attributes.join(', ')}`
            : `run ${operation} because of ${(replaces ?? []).join(', ')}`,
        )
        .sort((a, b) => b.localeCompare(a)),
    ]),
  );
}
