import { CreateMultipartUploadCommand, ListBucketsCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { projectRoot } from '../../../operations/lib/project-root';
import { MinioAdmin } from '../../../operations/minio/minio-admin';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { measured } from '../../helpers/e2e/clients/measured';
import { Workbench } from '../../helpers/e2e/workbench';

/** A run that is ended in whatever way leaves nothing: no bucket, no process, no container that it had stopped. */
export function describeLeftovers(deployment: () => LoadedEnvironment): void {
  describe('a run of the checks that is ended while it is at work', () => {
    let bench: Workbench;

    beforeEach(() => {
      bench = new Workbench(deployment());
    });
    afterEach(async () => {
      await bench.mend();
    });

    test.each<[string, NodeJS.Signals, 'process' | 'group', number | null]>([
      ['kill -9', 'SIGKILL', 'process', null],
      ['Ctrl-C', 'SIGINT', 'group', 130],
      ['SIGTERM', 'SIGTERM', 'process', 130],
      ['a closed terminal', 'SIGHUP', 'group', 130],
    ])('%s leaves no bucket, no part of an object and no process', async (_, signal, whom, code) => {
      const run = startCheck(deployment(), []);
      // as the run itself has, for some seconds of it
      const upload = await waitFor(
        { what: 'the run to make a bucket', timeoutMs: 180_000, intervalMs: 20 },
        async () => {
          const [bucket] = await scratchBuckets(bench);
          return bucket === undefined ? new NotYet('no bucket') : beginUpload(bench, bucket);
        },
      );
      const ended = run.end(signal, whom);
      expect(await ended).toBe(code);
      await expectNothingLeft(bench, run);
      expect(await isOnDrive(bench, upload)).toBe(false);
    });

    test.each<[string, NodeJS.Signals, 'process' | 'group']>([
      ['kill -9', 'SIGKILL', 'process'],
      ['Ctrl-C', 'SIGINT', 'group'],
    ])('%s while KES is stopped: it runs again', async (_, signal, whom) => {
      const run = startCheck(deployment(), ['--disruptive', '--only', 'unreadable-without-kes']);
      await waitFor({ what: 'the run to stop KES', timeoutMs: 180_000, intervalMs: 20 }, async () =>
        (await kesRuns(bench)) ? new NotYet('KES runs') : true,
      );
      await run.end(signal, whom);
      await expectNothingLeft(bench, run);
      expect(await kesRuns(bench)).toBe(true);
    });
  });
}

interface StartedCheck {
  readonly pid: number;
  /** A variable that its cleanup watchdog inherits: other tests have theirs. */
  readonly mark: string;
  /** Sends the signal and waits for the end. @returns the exit code, null after a signal that cannot be caught */
  readonly end: (signal: NodeJS.Signals, whom: 'process' | 'group') => Promise<number | null>;
}

function startCheck({ file }: LoadedEnvironment, args: readonly string[]): StartedCheck {
  // a process group of its own, as a shell gives it
  const mark = `EBS_E2E_RUN=${randomUUID()}`;
  const [name = '', value] = mark.split('=');
  const env = { ...process.env, [name]: value };
  const check = path.join(projectRoot, 'scripts', 'check');
  const child = spawn(check, [file, ...args], { detached: true, stdio: 'ignore', env });
  const { pid } = child;
  if (pid === undefined) throw new Error('./scripts/check could not be started');
  const ended = once(child, 'exit') as Promise<[number | null]>;
  return {
    pid,
    mark,
    end: async (signal, whom) => {
      process.kill(whom === 'group' ? -pid : pid, signal);
      return (await ended)[0];
    },
  };
}

async function expectNothingLeft(bench: Workbench, { pid, mark }: StartedCheck): Promise<void> {
  const started = performance.now();
  await waitFor({ what: 'the cleanup watchdog of the run to end', timeoutMs: 180_000, intervalMs: 50 }, async () => {
    const left = watchdogs(mark);
    return Promise.resolve(left.length === 0 ? true : new NotYet(`processes ${left.join(', ')}`));
  });
  measured(`run ${pid}: everything put back after`, (performance.now() - started) / 1000);
  expect(await scratchBuckets(bench)).toEqual([]);
}

/** @returns the name of its folder on MinIO's drive */
async function beginUpload(bench: Workbench, Bucket: string): Promise<string | NotYet> {
  const s3 = bench.s3();
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'unfinished' }));
  await s3.send(new UploadPartCommand({ Bucket, Key: 'unfinished', UploadId, PartNumber: 1, Body: 'a part' }));
  // <id of the deployment>.<folder>
  const folder = Buffer.from(UploadId, 'base64url').toString().split('.')[1] ?? '';
  return (await isOnDrive(bench, folder)) ? folder : new NotYet(`no upload ${folder} on the drive`);
}

/** An upload whose bucket is gone is in no list. */
async function isOnDrive(bench: Workbench, upload: string): Promise<boolean> {
  // as root: the bucket is gone before a user that may look is made
  const admin = new MinioAdmin(bench.realS3, bench.deployed.environment.minio.region, bench.credentials);
  try {
    for await (const { path } of admin.rawFiles('.minio.sys', 'multipart/*/*/xl.meta')) {
      if (path.includes(`/${upload}/`)) return true;
    }
    return false;
  } finally {
    admin.close();
  }
}

async function scratchBuckets(bench: Workbench): Promise<string[]> {
  const { Buckets = [] } = await bench.s3().send(new ListBucketsCommand({}));
  return Buckets.map(({ Name = '' }) => Name).filter((name) => name.startsWith('ebs-check-'));
}

async function kesRuns(bench: Workbench): Promise<boolean> {
  return (await bench.container('kes').inspect()).State.Running;
}

/** Processes that look after that run. */
function watchdogs(mark: string): string[] {
  const program = 'operations/checks/outage/cleanup-watchdog-process.ts';
  return readdirSync('/proc').filter((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program)) return false;
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
    } catch {
      // it has ended
      return false;
    }
  });
}
