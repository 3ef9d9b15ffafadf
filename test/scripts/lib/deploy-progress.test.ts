import { DeployProgress } from '../../../scripts/lib/deploy-progress';

/** As cdktf prints it: the name of a stack when it changes, continuation lines below it. */
const start = `
demo-vault  Initializing the backend...
demo-vault  Terraform has been successfully initialized!
demo-minio  Initializing the backend...
demo-vault  docker_volume.Data (Vault/Data/Resource): Refreshing state... [id=data]
demo-vault  Terraform used the selected providers to generate the following execution
            plan. Resource actions are indicated with the following symbols:
            Plan: 1 to add, 0 to change, 0 to destroy.
            docker_container.Vault (Vault/Server/Resource): Creating...
\u001b[1mdemo-vault  Apply complete! Resources: 3 added, 1 changed, 0 destroyed.\u001b[0m
            Outputs:
demo-minio  terraform_data.Keys_1A (Keys/Run/Resource): Creating...
            terraform_data.Keys_1A (Keys/Run/Resource): Provisioning with 'local-exec'...
            terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): Executing: ["/bin/sh" "-c" "run create-master-keys"]
            terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): opening the canary of backup-default
`.trim();

const feed = (progress: DeployProgress, text: string) => text.split('\n').map((line) => progress.take(line));

test('says what each stack is at and what it changed', () => {
  const events = feed(new DeployProgress('demo'), start).filter((event) => Object.keys(event).length > 0);
  expect(events).toEqual([
    { now: 'demo-vault: initialising' },
    { now: 'demo-minio: initialising' },
    { now: 'demo-vault: planning', planning: true },
    { now: 'demo-vault: planning', planning: true },
    { now: 'demo-vault: Vault/Server: creating' },
    { done: { stack: 'demo-vault', changes: '3 added, 1 changed' } },
    { now: 'demo-minio: Keys/Run: creating' },
    { now: 'demo-minio: Keys/Run: provisioning' },
    { now: 'demo-minio: opening the canary of backup-default' },
  ]);
});

test('an unchanged stack says so', () => {
  const progress = new DeployProgress('demo');
  const line = 'demo-vault  Apply complete! Resources: 0 added, 0 changed, 0 destroyed.';
  expect(progress.take(line).done).toEqual({ stack: 'demo-vault', changes: 'no change' });
});

test('a failed operation speaks for itself', () => {
  const progress = new DeployProgress('demo');
  feed(progress, start);
  feed(
    progress,
    `demo-minio  terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): error: the key backup-default is missing, but data exists
            terraform_data.Keys_1A (Keys/Run/Resource) (local-exec): hint: restore the Vault snapshot
            ╷
            │ Error: local-exec provisioner error
            │
            │   with terraform_data.Keys_1A (Keys/Run/Resource),
            │   on cdk.tf.json line 64, in resource.terraform_data.Keys_1A (Keys/Run/Resource).provisioner[0].local-exec:
            │   64:             }
            │
            │ Error running command 'run create-master-keys': exit status 1. Output: error: the
            │ key backup-default is missing, but data exists
            ╵

0 Stacks deploying     2 Stacks done     4 Stacks waiting
Invoking Terraform CLI failed with exit code 1`,
  );
  expect(progress.failure()).toEqual([
    'Keys/Run:',
    '  error: the key backup-default is missing, but data exists',
    '  hint: restore the Vault snapshot',
  ]);
});

test('errors of Terraform are shown whole, all of them, without frames and cdktf’s summary', () => {
  const progress = new DeployProgress('demo');
  feed(
    progress,
    `demo-minio  docker_container.Kes (Kes/Resource): Creating...
            Error: Unable to start container: port is already allocated

              with docker_container.Kes (Kes/Resource),
              on cdk.tf.json line 7:


            Error: second
demo-minio  detail

0 Stacks deploying     2 Stacks done     4 Stacks waiting
Invoking Terraform CLI failed with exit code 1`,
  );
  expect(progress.failure()).toEqual([
    'Error: Unable to start container: port is already allocated',
    '',
    '  with docker_container.Kes (Kes/Resource),',
    '  on cdk.tf.json line 7:',
    '',
    'Error: second',
    'detail',
  ]);
});

test('without an error of Terraform the end of the output is shown', () => {
  const progress = new DeployProgress('demo');
  feed(progress, 'error: environments/demo.yaml is not YAML:\n\n  line 1\nnon-zero exit code 64');
  expect(progress.failure()).toEqual([
    'error: environments/demo.yaml is not YAML:',
    '  line 1',
    'non-zero exit code 64',
  ]);
});

test('what must not be destroyed is named with what would be lost, and how to allow it', () => {
  const progress = new DeployProgress('demo');
  feed(progress, start);
  feed(
    progress,
    `demo-minio  ╷
            │ Error: Instance cannot be destroyed
            │
            │   on cdk.tf.json line 75, in resource.docker_volume.Minio_Data_71 (Minio/Data/Resource):
            │   75:       },
            │
            │ Resource docker_volume.Minio_Data_71 (Minio/Data/Resource) has lifecycle.prevent_destroy set,
            │ but the plan calls for this resource to be destroyed.
            ╵`,
  );
  expect(progress.failure()).toEqual([
    'refused: docker_volume.Minio_Data_71 would be deleted or replaced. Lost would be every object.',
    'To go on, correct what asks for it (./scripts/plan says why); if it shall be lost, and a backup is of no use any more, write allowDataLoss: demo into the environment file.',
  ]);
});
