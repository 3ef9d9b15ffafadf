import { CheckFailure } from '../../../../operations/checks/check';
import { judgeQueues, minioAuditChecks } from '../../../../operations/checks/health/minio-audit';
import { parseEnvironment } from '../../../../config/load';
import { rejectionOf } from '../../../helpers/thrown';
import { stateLayout } from '../../../../config/state/layout';

const WEBHOOK = { endpoint: 'https://logs.example.org/minio', volume: 'ebs-test-minio-audit-queue', timeoutMs: 1200 };

/** A queue that is another one each time that it is read; the last one stays. */
function reads(...queues: Readonly<Record<string, readonly string[]>>[]) {
  let index = 0;
  return async () => {
    const queue = queues[Math.min(index++, queues.length - 1)] ?? {};
    return Promise.resolve(new Map(Object.entries(queue).map(([name, records]) => [name, new Set(records)])));
  };
}

test.each([
  ['nothing waits', [{ a: [] }], { a: 0 }],
  ['what waited was sent, and other records came', [{ a: ['1', '2'] }, { a: ['2', '3'] }, { a: ['3', '4'] }], { a: 2 }],
  [
    'each of several hosts sent',
    [
      { a: ['1'], b: ['2'] },
      { a: ['3'], b: ['4'] },
    ],
    { a: 1, b: 1 },
  ],
])('%s: passes', async (_, queues, waited) => {
  expect(await judgeQueues(reads(...queues), WEBHOOK)).toEqual({ endpoint: WEBHOOK.endpoint, waited });
});

test('a record that stays is a webhook that does not take it', async () => {
  const failure = await rejectionOf(judgeQueues(reads({ a: [], b: ['1', '2'] }, { a: [], b: ['1', '3'] }), WEBHOOK));
  expect(failure).toBeInstanceOf(CheckFailure);
  expect(failure).toMatchObject({
    message:
      'minio.audit.endpoint https://logs.example.org/minio does not take what MinIO sends: 1 record of b not sent',
    fix: expect.stringMatching(
      /Records wait on the volume ebs-test-minio-audit-queue, up to minio\.audit\.queueSize$/,
    ) as string,
    evidence: { waited: { a: 0, b: 2 } },
  });
});

test('it is left out where no webhook is declared', () => {
  const environment = parseEnvironment('name: test', 'test.yaml');
  expect(minioAuditChecks[0]?.skipReason?.(environment, stateLayout('test', '/nonexistent'))).toBe(
    'no webhook gets records: minio.audit is not declared',
  );
});
