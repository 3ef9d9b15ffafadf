import type { PlannedChange, PlanReport, StackPlan } from '../../../../operations/terraform/plan/report';
import { describeCounts, planMarkdown, planText } from '../../../../scripts/lib/pages/plan-text';

const change = (address: string, more: Partial<PlannedChange>): PlannedChange => ({
  address,
  type: address.split('.')[0] ?? '',
  actions: ['create'],
  attributes: [],
  ...more,
});

const stack = (name: string, more: Partial<StackPlan> = {}): StackPlan => ({
  stack: `demo-${name}`,
  outcome: 'changes',
  changes: [],
  drift: [],
  outputs: [],
  after: [],
  destroys: 0,
  problems: [],
  ...more,
});

const report: PlanReport = {
  version: 1,
  environment: 'demo',
  outcome: 'error',
  stacks: [
    stack('foundation', { outcome: 'no-change' }),
    stack('vault', {
      changes: [
        change('docker_container.Server', { actions: ['delete', 'create'], replaces: ['ports.external'] }),
        change('docker_volume.Data', { actions: ['delete'], destroysData: true }),
      ],
      drift: [
        { address: 'docker_container.Server', type: 'docker_container', actions: ['update'], attributes: ['memory'] },
        { address: 'docker_network.N', type: 'docker_network', actions: ['delete'], attributes: [] },
      ],
      outputs: ['id'],
    }),
    stack('keystore', {
      outcome: 'error',
      after: ['demo-vault'],
      problems: [
        { summary: 'Instance cannot be destroyed', address: 'vault_mount.KeyStore_Mount_FE' },
        { summary: 'with ``` in it', address: 'vault_mount.M' },
      ],
    }),
    stack('kes', {
      outcome: 'unknown',
      after: ['demo-vault'],
      problems: [{ summary: 'connection refused' }],
    }),
    stack('minio', {
      after: ['demo-vault'],
      changes: [
        change('docker_container.Server', { actions: ['update'], attributes: ['memory', 'memory_swap'] }),
        change('terraform_data.Buckets', {
          actions: ['delete', 'create'],
          operation: 'provision-buckets',
          replaces: ['input.buckets'],
          concerns: ['bucket archive (versioning)', 'bucket more (new)'],
        }),
      ],
    }),
    stack('checks', {
      outcome: 'unknown',
      after: ['demo-vault', 'demo-minio'],
      changes: [change('terraform_data.Run', { operation: 'run-checks' })],
    }),
  ],
};

test('the terminal shows losses first, then a line for each stack, then what changes in it', () => {
  expect(planText(report)).toBe(`Plan of demo: demo-keystore cannot be planned
!!! DESTROYS DATA: docker_volume.Data in demo-vault. Nothing brings back what it holds.
!!! REFUSED: demo-keystore would delete or replace vault_mount.KeyStore_Mount_FE. This would lose every master key, and with them every object. To continue, correct what asks for it (./scripts/plan says why); if it shall be lost, and a backup is of no use any more, write allowDataLoss: demo into the environment file.

  stack            outcome      +    ~  -/+    -  run
  demo-foundation  no change    0    0    0    0    0
  demo-vault       changes      0    0    1    1    0
  demo-keystore    error        ?    ?    ?    ?    ?
  demo-kes         unknown      ?    ?    ?    ?    ?
  demo-minio       changes      0    1    0    0    1
  demo-checks      unknown      0    0    0    0    1

demo-vault
  outside of this project docker_container.Server was changed: memory
  outside of this project docker_network.N was deleted
  -/+ docker_container.Server (ports.external)
  -   docker_volume.Data  !!! DESTROYS DATA
  ~   1 output

demo-keystore
  error: Instance cannot be destroyed (vault_mount.KeyStore_Mount_FE)
  error: with \`\`\` in it (vault_mount.M)

demo-kes
  cannot be planned before demo-vault is deployed: what changes in it is not known yet

demo-minio
  planned from what is deployed now; the stacks before it may change more in it
  ~   docker_container.Server (memory, memory_swap)
  run provision-buckets (input.buckets): terraform_data.Buckets: bucket archive (versioning), bucket more (new)

demo-checks
  cannot be planned before demo-vault, demo-minio are deployed: everything in it will be created
  run run-checks: terraform_data.Run
`);
});

test('no change is one line and the table', () => {
  const text = planText({ version: 1, environment: 'demo', outcome: 'no-change', stacks: report.stacks.slice(0, 1) });
  expect(text).toBe(`Plan of demo: no change

  stack            outcome      +    ~  -/+    -  run
  demo-foundation  no change    0    0    0    0    0
`);
});

test('Markdown begins with a marker, and nothing in it ends a block of code', () => {
  const text = planMarkdown(report);
  const lines = text.split('\n');
  expect(lines[0]).toBe('<!-- encrypted-backup-storage plan of demo -->');
  expect(lines).toEqual(
    expect.arrayContaining([
      '### Plan of demo: demo-keystore cannot be planned',
      '> **DESTROYS DATA: docker_volume.Data in demo-vault. Nothing brings back what it holds.**',
      '| `demo-vault` | changes | 0 | 0 | 1 | 1 | 0 |',
      '<summary>demo-vault</summary>',
    ]),
  );
  const blocks = [...text.matchAll(/^(`{3,})text\n([^]*?)\n\1$/gm)].map(([, fence, content]) => ({ fence, content }));
  expect(blocks.map(({ fence }) => fence)).toEqual(['```', '````', '```', '```', '```']);
  expect(blocks[1]?.content).toContain('error: with ``` in it (vault_mount.M)');
});

test('what Terraform forgets is not said to be deleted', () => {
  const moved = change('docker_volume.Data', { actions: ['forget'] });
  const text = planText({ ...report, outcome: 'changes', stacks: [stack('minio', { changes: [moved] })] });
  expect(text).toContain('.   docker_volume.Data  (Terraform forgets it, and it stays)');
  expect(text).not.toMatch(/-   docker_volume/);
  expect(describeCounts({ changes: [moved], outputs: [] })).toBe('1 to forget');
});
