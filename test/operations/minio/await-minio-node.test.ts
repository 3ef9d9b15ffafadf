import type Docker from 'dockerode';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { awaitMinioNode, judgeNodes, type SeenNode } from '../../../operations/minio/await-minio-node';
import { readAwayDrives } from '../../../operations/state/notes/away-drives';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();

const runs = (configuration = 'new'): SeenNode => ({ kind: 'runs', configuration });
const away: SeenNode = { kind: 'away', problem: 'no answer within 5 s' };

function hosts(...nodes: SeenNode[]): Map<string, SeenNode> {
  return new Map(nodes.map((node, index) => [String.fromCharCode(97 + index), node]));
}

describe('the first MinIOs of a deploy are not waited for', () => {
  test.each<[string, string, Map<string, SeenNode>, string]>([
    [
      'before the last one is there: none formats its drives without the others',
      'b',
      hosts(runs(), runs(), { kind: 'missing' }),
      'there is none on c yet',
    ],
    [
      'while too few have the same settings: three nodes',
      'a',
      hosts(runs(), runs('old'), runs('old')),
      'it starts when 1 other has its configuration, and 0 have',
    ],
    [
      'while too few have the same settings: five nodes',
      'b',
      hosts(runs(), runs(), runs('old'), runs('old'), runs('old')),
      'it starts when 2 others have its configuration, and 1 has',
    ],
  ])('%s', (_, own, seen, reason) => {
    expect(judgeNodes(own, seen)).toEqual({ kind: 'no gate', reason });
  });
});

describe('a MinIO is waited for', () => {
  test.each<[string, string, Map<string, SeenNode>, string[]]>([
    ['on every host, when all are there', 'c', hosts(runs(), runs(), runs()), ['a', 'b', 'c']],
    ['when enough have its settings', 'b', hosts(runs(), runs(), runs('old')), ['a', 'b', 'c']],
    ['without a host that is away', 'b', hosts(runs(), runs(), away), ['a', 'b']],
    ['without one that was stopped', 'b', hosts(runs(), runs(), { kind: 'does not run' }), ['a', 'b']],
  ])('%s', (_, own, seen, gated) => {
    expect(judgeNodes(own, seen)).toEqual({ kind: 'gate', hosts: gated });
  });
});

test.each<[string, SeenNode, string]>([
  ['does not run', { kind: 'does not run' }, 'does not run'],
  ['cannot be seen', away, 'cannot be seen: no answer within 5 s'],
])('a MinIO that was deployed and %s ends the deploy', (_, node, problem) => {
  const error = thrownBy(() => judgeNodes('a', hosts(node, runs(), runs())));
  expect(error.message).toBe(`MinIO on host a was deployed, and its container ${problem}`);
});

test('what the hosts say of their containers decides', async () => {
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const inspected = (Env: string[]) => ({
    Config: { Env, Cmd: ['server'], Image: 'minio:1' },
    State: { Running: true },
  });
  const containers: Record<string, () => Promise<unknown>> = {
    a: () => Promise.resolve(inspected(['MINIO_NEW=1', 'PATH=/bin'])),
    b: () => Promise.resolve(inspected(['MINIO_NEW=0', 'PATH=/bin'])),
    c: () => Promise.reject(Object.assign(new Error('no such container'), { statusCode: 404 })),
  };
  const engineFor = ({ host }: { readonly host: string }) =>
    ({ getContainer: () => ({ inspect: containers[host] }) }) as unknown as Docker;
  const node = (host: string) => ({
    host,
    engine: { host: `ssh://${host}` },
    container: 'ebs-demo-minio',
    endpoint: { url: `https://${host}` },
  });
  const input = {
    host: 'a',
    nodes: ['a', 'b', 'c'].map(node),
    region: 'us-east-1',
    operationsFile: 'none',
    rootFile: 'none',
    drives: ['https://minio-1:9010/data'],
    awayDrives: path.join(folder(), 'away-drives.json'),
  };
  await awaitMinioNode(input, engineFor);
  containers.c = containers.b ?? (() => Promise.reject(new Error()));
  await awaitMinioNode(input, engineFor);
  expect(said.mock.calls.flat()).toEqual([
    'MinIO on host a is not waited for: there is none on c yet\n',
    'MinIO on host a is not waited for: it starts when 1 other has its configuration, and 0 have\n',
  ]);
  containers.c = containers.a ?? (() => Promise.reject(new Error()));
  // it goes on to write, and has nothing to write with
  expect((await rejectionOf(awaitMinioNode(input, engineFor))).message).toContain('no such file');
  // a first deploy has nothing to miss
  expect(readAwayDrives(input)).toEqual({});

  const operationsFile = path.join(folder(), 'operations.json');
  writeFileSync(operationsFile, '');
  await rejectionOf(awaitMinioNode({ ...input, operationsFile }, engineFor));
  expect(Object.keys(readAwayDrives(input))).toEqual(input.drives);
  said.mockRestore();
});
