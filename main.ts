/** The CDKTF app: reads the environment, builds the stacks. */
import { loadEnvironment } from './operations/state/load';
import { requireNoOtherEngine } from './operations/docker/engine/engine-identity';
import { printError } from './operations/lib/print-error';
import { requireOwnTurn } from './operations/terraform/turn';
import { readToolchain } from './operations/toolchain/findings';
import { declareApp } from './stacks/app';

async function synthesize(): Promise<void> {
  const loaded = loadEnvironment();
  const app = declareApp(loaded, readToolchain());
  // before Terraform takes what it does not find there for gone
  await requireNoOtherEngine(loaded);
  await requireOwnTurn(loaded);
  app.synth();
}

synthesize().catch((error: unknown) => {
  process.exitCode = printError(error);
});
