import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../operations/lib/project-root';

/** The one that `cdktf` finds, too: of this machine, or the OpenTofu that was built. */
const PROGRAM = path.resolve(projectRoot, 'node_modules', '.bin', process.env.TERRAFORM_BINARY_NAME ?? 'terraform');

/** Without the settings and state of whoever runs the tests. */
const ENVIRONMENT = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TF_CLI_CONFIG_FILE: '/dev/null',
  CHECKPOINT_DISABLE: '1',
};

/** Whether this machine has a Terraform (or, by TERRAFORM_BINARY_NAME, an OpenTofu) to ask. */
export const terraformIsThere = spawnSync(PROGRAM, ['version'], { env: ENVIRONMENT }).status === 0;

/** What expressions become when a plan is made, by their name. */
export function planned(folder: string, expressions: Readonly<Record<string, string>>): Record<string, unknown> {
  const output = Object.fromEntries(Object.entries(expressions).map(([name, value]) => [name, { value }]));
  writeFileSync(path.join(folder, 'main.tf.json'), JSON.stringify({ output }));
  run(folder, ['plan', '-no-color', '-input=false', '-lock=false', '-out=plan']);
  const plan = JSON.parse(run(folder, ['show', '-json', 'plan'])) as {
    planned_values: { outputs: Record<string, { value: unknown }> };
  };
  return Object.fromEntries(Object.entries(plan.planned_values.outputs).map(([name, { value }]) => [name, value]));
}

/** Makes a folder one where Terraform keeps this state file, and declares nothing. */
export function initialised(folder: string, file: string): void {
  const terraform = { backend: { local: { path: file } } };
  writeFileSync(path.join(folder, 'main.tf.json'), JSON.stringify({ terraform }));
  run(folder, ['init', '-no-color', '-input=false']);
}

function run(folder: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(PROGRAM, args, { cwd: folder, env: ENVIRONMENT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${PROGRAM} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
