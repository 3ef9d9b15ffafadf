import { DeployEvents } from '../../../operations/terraform/deploy-events';

const PATHS = new Map([
  ['terraform_data.Keys_1A', 'Keys/Run/Resource'],
  ['docker_container.Vault', 'Vault/Server/Resource'],
]);
const events = (): DeployEvents => new DeployEvents('demo', 'demo-kes', PATHS);

/** A line of `terraform apply -json`. */
const line = (type: string, message: string, rest: object = {}): string =>
  JSON.stringify({ '@level': 'info', '@message': message, '@module': 'terraform.ui', type, ...rest });
const hook = (addr: string, rest: object = {}) => ({ hook: { resource: { addr }, ...rest } });
const provision = (output: string): string =>
  line(
    'provision_progress',
    `terraform_data.Keys_1A: (local-exec): ${output}`,
    hook('terraform_data.Keys_1A', { output }),
  );
const diagnostic = (summary: string, detail: string, address?: string): string =>
  JSON.stringify({
    '@level': 'error',
    '@message': `Error: ${summary}`,
    type: 'diagnostic',
    diagnostic: { summary, detail, address },
  });

test('says what a stack is at, as a person reads it', () => {
  const read = events();
  expect(
    [
      line('version', 'Terraform 1.11.4'),
      line('apply_start', 'docker_container.Vault: Creating...', hook('docker_container.Vault', { action: 'create' })),
      line('apply_complete', 'docker_container.Vault: Creation complete after 1s', hook('docker_container.Vault')),
      provision('Executing: ["/bin/sh" "-c" "run create-master-keys"]'),
      provision('created master key a\nopening the canary of a'),
      '',
    ].map((text) => read.take(text)),
  ).toEqual([
    {},
    {
      text: 'demo-kes  docker_container.Vault (Vault/Server/Resource): Creating...',
      now: 'demo-kes: Vault/Server: creating',
    },
    { text: 'demo-kes  docker_container.Vault (Vault/Server/Resource): Creation complete after 1s' },
    {
      text: 'demo-kes  terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): Executing: ["/bin/sh" "-c" "run create-master-keys"]',
    },
    {
      text: [
        'demo-kes  terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): created master key a',
        'demo-kes  terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): opening the canary of a',
      ].join('\n'),
      now: 'demo-kes: opening the canary of a',
    },
    {},
  ]);
});

test.each([
  [['create docker_volume.A', 'create docker_volume.B', 'update docker_container.C'], '2 created, 1 changed'],
  [['delete docker_container.C', 'create docker_container.C', 'delete docker_network.D'], '1 replaced, 1 deleted'],
  [['delete terraform_data.E', 'create terraform_data.E', 'create terraform_data.F'], '2 run'],
  [['delete terraform_data.E'], '1 deleted'],
  [[], 'no change'],
])('what was changed, in the words of a plan: %j', (ended, said) => {
  const read = events();
  for (const [action, addr] of ended.map((what) => what.split(' '))) {
    read.take(line('apply_start', 'it begins', { hook: { resource: { addr }, action } }));
    read.take(line('apply_complete', 'it ends', { hook: { resource: { addr }, action } }));
  }
  read.take(line('apply_start', 'it begins, and fails', { hook: { resource: { addr: 'x.Y' }, action: 'create' } }));
  expect(read.changes()).toBe(said);
});

test('a failed operation speaks for itself', () => {
  const read = events();
  read.take(provision('opening the canary of a'));
  read.take(provision('error: the key a is missing, but data exists'));
  read.take(provision('hint: restore it from a backup'));
  read.take(diagnostic('local-exec provisioner error', 'Error running command', 'terraform_data.Keys_1A'));
  expect(read.failure()).toEqual([
    'Keys/Run:',
    '  error: the key a is missing, but data exists',
    '  hint: restore it from a backup',
  ]);
});

test('an operation that said nothing of an error is told as Terraform tells it', () => {
  const read = events();
  read.take(
    diagnostic('local-exec provisioner error', 'Error running command: exit status 137', 'terraform_data.Keys_1A'),
  );
  expect(read.failure()).toEqual([
    'Error: local-exec provisioner error',
    '  with terraform_data.Keys_1A (Keys/Run/Resource)',
    'Error running command: exit status 137',
  ]);
});

test('a refusal names what would be lost, and the way to go on', () => {
  const read = events();
  read.take(
    diagnostic(
      'Instance cannot be destroyed',
      'Resource vault_mount.Mount has lifecycle.prevent_destroy set, but the plan calls',
    ),
  );
  const [refused, way] = read.failure();
  expect(refused).toBe(
    'refused: vault_mount.Mount would be deleted or replaced. This would lose every master key, and with them every object.',
  );
  expect(way).toMatch(/^To continue, .*write allowDataLoss: demo into the environment file\.$/);
});

test('what is said before Terraform begins is the error', () => {
  const read = events();
  read.take('error: process 7 has been deploying demo since 12:00');
  read.take('hint: wait until it is done; nothing was changed');
  expect(read.failure()).toEqual([
    'error: process 7 has been deploying demo since 12:00',
    'hint: wait until it is done; nothing was changed',
  ]);
});
