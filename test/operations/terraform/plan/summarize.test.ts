import { firstDeploy, summarizePlan } from '../../../../operations/terraform/plan/summarize';
import { synthesizedStack, terraformPlan } from '../../../../operations/terraform/plan/terraform-plan';

const declared = synthesizedStack.parse({
  resource: {
    docker_volume: { Data: { lifecycle: { prevent_destroy: false } }, Files: {} },
    vault_mount: { Mount: { lifecycle: { prevent_destroy: false } } },
    docker_container: { Server: {} },
    terraform_data: { Run: { provisioner: [{ 'local-exec': { command: "'/p/run' create-master-keys" } }] } },
  },
});

function summaryOf(change: Record<string, unknown>, address = 'docker_container.Server') {
  const [type] = address.split('.');
  return summarizePlan(terraformPlan.parse({ resource_changes: [{ address, type, change }] }), declared);
}

test('a change in place names the attributes, not their values, and leaves out what is only written in another way', () => {
  const before = { memory: 512, image: 'the-old', env: null, tmpfs: {}, upload: [{ content: 'the-secret' }], id: 'x' };
  const after = { memory: 768, image: 'the-old', env: [], tmpfs: null, upload: [{ content: 'another' }], id: 'x' };
  const summary = summaryOf({ actions: ['update'], before, after, after_unknown: { ports: true, volumes: [{}] } });
  expect(summary).toEqual({
    changes: [
      {
        address: 'docker_container.Server',
        type: 'docker_container',
        actions: ['update'],
        attributes: ['memory', 'ports', 'upload'],
      },
    ],
    drift: [],
    outputs: [],
    destroys: 0,
  });
});

test('a replacement names why', () => {
  const { changes, destroys } = summaryOf({
    actions: ['delete', 'create'],
    before: {},
    after: {},
    replace_paths: [['ports', 0, 'external'], ['image']],
  });
  expect(changes).toMatchObject([{ attributes: [], replaces: ['ports.external', 'image'] }]);
  expect(destroys).toBe(1);
});

test.each([
  ['a trigger', { kes: 'a', input: '{}' }, { kes: 'b', input: '{}' }, {}, ['kes']],
  ['one that is known later', { kes: 'a' }, {}, { kes: true }, ['kes']],
  ['its input', { input: '{"keys":["a"],"to":1}' }, { input: '{"keys":["b"],"to":1}' }, {}, ['input.keys']],
  ['everything is known later', { kes: 'a' }, undefined, true, ['triggers_replace']],
])('an operation that runs again names its reason: %s', (_, before, after, unknown, replaces) => {
  const { changes, destroys } = summaryOf(
    {
      actions: ['delete', 'create'],
      before: { triggers_replace: before },
      after: { triggers_replace: after },
      after_unknown: { triggers_replace: unknown },
      replace_paths: [['triggers_replace']],
    },
    'terraform_data.Run',
  );
  expect(changes).toMatchObject([{ operation: 'create-master-keys', replaces }]);
  // nothing but its place in the state
  expect(destroys).toBe(0);
});

test('an operation that makes buckets or keys names them, and what changes in each', () => {
  const input = (buckets: object[], keys: string[]) => ({
    triggers_replace: { input: JSON.stringify({ buckets, keys }) },
  });
  const concerns = (before: object, after: object): string[] | undefined =>
    summaryOf({ actions: ['delete', 'create'], before, after }, 'terraform_data.Run').changes[0]?.concerns;
  const backup = { name: 'backup', encryption: { type: 'sse-s3' }, versioning: false };
  const archive = { name: 'archive', encryption: { type: 'sse-kms', key: 'a' }, versioning: true };

  expect(
    concerns(
      input([backup, archive], ['a', 'b']),
      input(
        [
          { ...backup, versioning: true },
          { ...archive, name: 'new' },
        ],
        ['a', 'c'],
      ),
    ),
  ).toEqual([
    'key c (new)',
    'bucket backup (versioning)',
    'bucket new (new)',
    'key b (no longer declared, stays)',
    'bucket archive (no longer declared, stays)',
  ]);
  expect(concerns(input([backup], ['a']), input([backup], ['a']))).toBeUndefined();
  // known only later
  expect(concerns(input([backup], ['a']), {})).toBeUndefined();
});

test('a first deploy names the buckets and keys that it will make', () => {
  const run = {
    triggers_replace: { input: '{"keys":["a"],"canariesFile":"x"}' },
    provisioner: [{ 'local-exec': { command: "'/p/run' create-master-keys" } }],
  };
  const stack = synthesizedStack.parse({ resource: { terraform_data: { Run: run } } });
  expect(firstDeploy(stack)).toMatchObject([{ operation: 'create-master-keys', concerns: ['key a (new)'] }]);
});

test.each([
  ['docker_volume.Data', {}, true],
  ['vault_mount.Mount', {}, true],
  ['docker_volume.Files', {}, undefined],
  ['docker_container.Server', {}, undefined],
  ['docker_volume.NotDeclaredAnyMore', { name: 'ebs-local-minio-data' }, true],
  ['docker_volume.NotDeclaredAnyMore', { name: 'ebs-local-vault-unsealer-files' }, undefined],
  ['vault_mount.NotDeclaredAnyMore', {}, true],
  ['docker_network.NotDeclaredAnyMore', {}, undefined],
])('deleting %s (%j) destroys data: %s', (address, before, destroysData) => {
  for (const actions of [['delete'], ['delete', 'create'], ['create', 'delete']]) {
    const { changes, destroys } = summaryOf({ actions, before, after: null }, address);
    expect(changes[0]?.destroysData).toBe(destroysData);
    expect(destroys).toBe(1);
  }
  expect(summaryOf({ actions: ['update'], before, after: {} }, address).changes[0]?.destroysData).toBeUndefined();
});

describe('drift', () => {
  const drift = (before: object, after: object | null, planned: Record<string, unknown>) =>
    summarizePlan(
      terraformPlan.parse({
        resource_changes: [{ address: 'docker_container.Server', type: 'docker_container', change: planned }],
        resource_drift: [
          {
            address: 'docker_container.Server',
            type: 'docker_container',
            change: { actions: [after === null ? 'delete' : 'update'], before, after },
          },
        ],
      }),
      declared,
    ).drift;

  test('is what the plan puts back', () => {
    const planned = { actions: ['update'], before: { memory: 600 }, after: { memory: 512 } };
    expect(drift({ memory: 512, networks: ['a'] }, { memory: 600, networks: ['b'] }, planned)).toEqual([
      { address: 'docker_container.Server', type: 'docker_container', actions: ['update'], attributes: ['memory'] },
    ]);
  });

  test('is something that somebody removed', () => {
    expect(drift({}, null, { actions: ['create'], before: null, after: {} })).toMatchObject([{ actions: ['delete'] }]);
  });

  test('is not what a provider only reads back in another form', () => {
    expect(drift({ dns: null }, { dns: [] }, { actions: ['no-op'], before: {}, after: {} })).toEqual([]);
    const replaced = { actions: ['delete', 'create'], before: { a: 1 }, after: {}, replace_paths: [['upload']] };
    expect(drift({ volumes: ['a'] }, { volumes: ['b'] }, replaced)).toEqual([]);
  });
});

test('outputs that change are named', () => {
  const plan = terraformPlan.parse({
    output_changes: { same: { actions: ['no-op'] }, buckets: { actions: ['update'] } },
  });
  expect(summarizePlan(plan, declared).outputs).toEqual(['buckets']);
});
