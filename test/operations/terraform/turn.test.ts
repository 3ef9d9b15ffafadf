import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { requireOwnTurn, takeTurn } from '../../../operations/terraform/turn';
import { useStateBucket } from '../../helpers/servers/state-bucket';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const bucket = useStateBucket();

/** The state folder of a machine that has deployed. */
function machine(name: string, setting = bucket.setting()) {
  const state = stateLayout('demo', path.join(folder(), name));
  mkdirSync(state.root, { recursive: true });
  writeFileSync(state.deployment, '{}');
  return { environment: parseEnvironment(`name: demo\n${setting}`, 'demo.yaml'), state };
}
type Machine = ReturnType<typeof machine>;

function copyTurn(from: Machine, to: Machine): void {
  writeFileSync(to.state.turn, readFileSync(from.state.turn));
}

const REFUSAL = {
  message: expect.stringMatching(
    /^the state folder \S+\/one is older than what is deployed: \S+ deployed demo on \S+Z with another copy of it$/,
  ) as string,
  hint: expect.stringMatching(
    /^set this folder aside, copy the one of \S+ to the same path, then run this again\. If that copy is lost, \.\/scripts\/restore --replace demo makes the folder from a backup; nothing was changed$/,
  ) as string,
};

test('two machines take turns, and the one whose copy is older is refused until it has the newer one', async () => {
  const [one, other] = [machine('one'), machine('other')];
  await takeTurn(one);
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
  copyTurn(one, other);
  await expect(requireOwnTurn(other)).resolves.toBeUndefined();
  await takeTurn(other);
  expect(await rejectionOf(requireOwnTurn(one))).toMatchObject(REFUSAL);
  copyTurn(other, one);
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
});

test('a copy from before there were turns is older, too', async () => {
  await takeTurn(machine('other'));
  expect(await rejectionOf(requireOwnTurn(machine('one')))).toMatchObject(REFUSAL);
});

test('a kill between both notes makes no folder older', async () => {
  const one = machine('one');
  await takeTurn(one);
  const before = bucket.states.get('demo/turn.json');
  await takeTurn(one);
  expect(bucket.states.get('demo/turn.json')).not.toEqual(before);
  bucket.states.set('demo/turn.json', before);
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
});

test('a restore, and a folder that never deployed, are not asked', async () => {
  await takeTurn(machine('other'));
  await expect(requireOwnTurn(machine('one'), { EBS_RESTORE: 'demo' })).resolves.toBeUndefined();
  const { environment } = machine('one');
  await expect(requireOwnTurn({ environment, state: stateLayout('demo', folder()) })).resolves.toBeUndefined();
});

test('a bucket that refuses is left to Terraform, and said; one that is not there is an error', async () => {
  const one = machine('one');
  bucket.refusal = 'AccessDenied';
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
  expect(await takeTurn(one)).toBe(
    'the Terraform state s3://states/all/demo/turn.json cannot be read: said S3: no other machine will notice that its state folder is older',
  );
  bucket.refusal = 'NoSuchBucket';
  expect(await rejectionOf(requireOwnTurn(one))).toMatchObject({
    message: 'the bucket of the Terraform state s3://states/all/demo/turn.json does not exist',
    hint: 'make the bucket, or correct state.bucket in the environment file; nothing was changed',
  });
});

test('a storage that does not answer is an error, unless Terraform may reach it through a proxy', async () => {
  const setting = bucket.setting().replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
  const one = machine('one', setting);
  // those of whoever runs the tests
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])
    Reflect.deleteProperty(process.env, name);
  expect(await rejectionOf(requireOwnTurn(one))).toMatchObject({
    message: expect.stringMatching(
      /^the Terraform state s3:\/\/states\/all\/demo\/turn\.json cannot be read: .*connect ECONNREFUSED 127\.0\.0\.1:1$/,
    ) as string,
    hint: 'have the storage answer, or correct state.endpoint; nothing was changed',
  });
  process.env.HTTPS_PROXY = 'http://127.0.0.1:2';
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
});

test('with a local state there are no turns', async () => {
  const one = machine('one', 'state: { backend: local }');
  expect(await takeTurn(one)).toBeUndefined();
  await expect(requireOwnTurn(one)).resolves.toBeUndefined();
});
