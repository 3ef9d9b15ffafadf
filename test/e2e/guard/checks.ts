import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { CHECKED_ROWS } from '../../../config/guard-rules';
import { checkEndpoint } from '../../../operations/checks/check-endpoint';
import { holeChecks } from '../../../operations/checks/holes/hole-checks';
import type { Report } from '../../../operations/checks/report/model';
import type { Guard, Server } from './servers';

/** What the checks say, as `./scripts/check --endpoint … --try-known-holes` does. */
export function describeChecks(guard: () => Guard): void {
  async function look({ storage }: Server, acceptedRisks: typeof CHECKED_ROWS | readonly [] = []): Promise<Report> {
    const { url, caFile, credentials } = storage;
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
    process.env[names[0]] = credentials.accessKey;
    process.env[names[1]] = credentials.secretKey.reveal();
    try {
      return await checkEndpoint({
        endpoint: { url, caFile },
        region: 'us-east-1',
        expected: { masterKeys: [], acceptedRisks },
        checks: holeChecks,
        tryKnownHoles: true,
      });
    } finally {
      for (const name of names) Reflect.deleteProperty(process.env, name);
    }
  }

  describe('the checks', () => {
    test('are green with the guard, and each request was refused by it', async () => {
      const { results } = await look(guard().guarded);
      expect(results.map(({ id, status, message }) => [id, status, message])).toEqual(
        holeChecks.map(({ id }) => [id, 'passed', undefined]),
      );
      const tried = results.flatMap(({ evidence }) => Object.entries(evidence?.tried ?? {}));
      const byOthers = tried.filter(([, how]) => !/^40[03] \w+ by the guard$/.test(how as string));
      // where the header is dropped, the policy refuses
      expect(byOthers).toEqual(
        ['x-forwarded-for', 'x-real-ip', 'forwarded'].map((name) => [
          `forwarded-address: ${name} decides what a policy allows`,
          '403 AccessDenied',
        ]),
      );
    });

    test('are red without it, and name every row', async () => {
      const { results, outcome } = await look(guard().unguarded);
      expect(outcome).toBe('failed');
      expect(results.map(({ id, status, message }) => [id, status, message])).toEqual([
        ['forged-writes-refused', 'failed', expect.stringMatching(/^unsigned-streaming: an object is written without/)],
        ['locked-versions-survive', 'failed', expect.stringMatching(/^version-on-write: a writer names the version/)],
        [
          'internal-headers-refused',
          'failed',
          expect.stringMatching(/^internal-header: a header of replication makes/),
        ],
        ['forwarded-headers-ignored', 'failed', expect.stringMatching(/^forwarded-address: x-forwarded-for decides/)],
      ]);
      const rows = results.flatMap(({ message = '' }) => message.split('; ').map((part) => part.split(': ')[0]));
      expect(rows).toEqual([...CHECKED_ROWS]);
    });

    test('say what they found where every risk is accepted', async () => {
      const { results, outcome, counts } = await look(guard().unguarded, CHECKED_ROWS);
      expect({ outcome, counts }).toMatchObject({ outcome: 'passed', counts: { accepted: 4, passed: 0, failed: 0 } });
      expect(results.map(({ message }) => message)).toContainEqual(
        'forwarded-address: x-forwarded-for decides what a policy allows, x-real-ip decides what a policy allows, ' +
          'forwarded decides what a policy allows',
      );
    });

    test('leave nothing, in spite of object lock', async () => {
      for (const { storage } of [guard().guarded, guard().unguarded]) {
        const { Buckets = [] } = await storage.s3.send(new ListBucketsCommand({}));
        expect(Buckets.filter(({ Name }) => Name?.startsWith('ebs-check-'))).toEqual([]);
      }
    });
  });
}
