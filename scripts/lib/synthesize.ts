import { TerraformStack } from 'cdktf';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { LoadedEnvironment } from '../../operations/state/load';
import type { SynthesizedFolder } from '../../operations/terraform/terraform';
import { readToolchain } from '../../operations/toolchain/findings';
import { declareApp } from '../../stacks/app';

/** Synthesizes the stacks of an environment, as `npx cdktf synth` does. In the order of deployment, in which they are declared. */
export function synthesize(loaded: LoadedEnvironment, outdir: string): SynthesizedFolder[] {
  // whatever the umask: a folder that others may write to is refused
  mkdirSync(outdir, { recursive: true, mode: 0o700 });
  const app = declareApp(loaded, readToolchain(), outdir);
  app.synth();
  return app.node.children
    .filter((child) => TerraformStack.isStack(child))
    .map((stack) => ({
      name: stack.node.id,
      folder: path.join(outdir, 'stacks', stack.node.id),
      dependencies: stack.dependencies.map(({ node }) => node.id),
    }));
}
