import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { mustSucceed, runCommand } from '../test/helpers/e2e/command';
import { STACKS, type TestEnvironment } from '../test/helpers/e2e/test-environment';
import { compare, type Comparison } from './statistics';

const BASELINE = 'terraform init && terraform apply, stack by stack';
const GOAL = '<= 1.30';

/**
 * Leaves the environment deployed.
 *
 * @param rounds 0: only deploy it
 */
export async function benchDeploy(
  environment: TestEnvironment,
  rounds: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  if (rounds === 0) {
    progress('deploying');
    mustSucceed(await environment.script('up'));
    return [];
  }
  // images are built by whoever deploys first, which is neither of the two
  progress('deploying once, for the images');
  mustSucceed(await environment.script('up'));
  const byTerraform = path.join(environment.folder, 'terraform.out');
  const startOver = async (): Promise<void> => {
    mustSucceed(await environment.script('down', ['--delete-data', '--confirm', environment.name]));
    for (const folder of [byTerraform, environment.cdktfOut]) rmSync(folder, { recursive: true, force: true });
    signal.throwIfAborted();
  };

  const first: Record<'cdktf' | 'terraform', number[]> = { cdktf: [], terraform: [] };
  const unchanged: Record<'cdktf' | 'terraform', number[]> = { cdktf: [], terraform: [] };
  // a first deploy takes long: three times at most
  for (let round = 1; round <= Math.min(rounds, 3); round += 1) {
    await startOver();
    mustSucceed(await environment.cdktf(['synth']));
    cpSync(environment.cdktfOut, byTerraform, { recursive: true });
    first.terraform.push(await applyAll(environment, byTerraform));
    await startOver();
    first.cdktf.push(await cdktfDeploy(environment));
    progress(`first deploy, round ${round}: cdktf ${last(first.cdktf)} s, terraform ${last(first.terraform)} s`);
  }
  cpSync(environment.cdktfOut, byTerraform, {
    recursive: true,
    filter: (file) => path.basename(file) !== '.terraform',
  });
  // both have initialised their folders once before anything is measured
  await applyAll(environment, byTerraform);
  for (let round = 1; round <= rounds; round += 1) {
    signal.throwIfAborted();
    unchanged.terraform.push(await applyAll(environment, byTerraform));
    unchanged.cdktf.push(await cdktfDeploy(environment));
    progress(`unchanged, round ${round}: cdktf ${last(unchanged.cdktf)} s, terraform ${last(unchanged.terraform)} s`);
  }
  const common = { unit: 's', goal: GOAL, baselineName: BASELINE };
  return [
    compare({ ...common, what: "cdktf deploy '*', first" }, first.cdktf, first.terraform),
    compare({ ...common, what: "cdktf deploy '*', unchanged" }, unchanged.cdktf, unchanged.terraform),
  ];
}

async function cdktfDeploy(environment: TestEnvironment): Promise<number> {
  return mustSucceed(await environment.cdktf(['deploy', '*', '--auto-approve'])).seconds;
}

async function applyAll(environment: TestEnvironment, folder: string): Promise<number> {
  const started = performance.now();
  for (const stack of STACKS) {
    for (const command of [['init'], ['apply', '-auto-approve']]) {
      const args = [
        `-chdir=${path.join(folder, 'stacks', `${environment.name}-${stack}`)}`,
        ...command,
        '-input=false',
      ];
      mustSucceed(await runCommand(environment.terraformProgram, args, { transcript: environment.transcript }));
    }
  }
  return (performance.now() - started) / 1000;
}

function last(values: readonly number[]): string {
  return (values.at(-1) ?? NaN).toFixed(1);
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
