import { TerraformStack } from 'cdktf';
import path from 'node:path';
import type { LoadedEnvironment } from '../../config/load';
import type { SynthesizedFolder } from '../../operations/terraform/terraform';
import { declareApp } from '../../stacks/app';

/** Synthesizes the stacks of an environment, as `npx cdktf synth` does. In the order of deployment, in which they are declared. */
export function synthesize(loaded: LoadedEnvironment, outdir: string): SynthesizedFolder[] {
  const app = declareApp(loaded, outdir);
  app.synth();
  return app.node.children
    .filter((child) => TerraformStack.isStack(child))
    .map((stack) => ({
      name: stack.node.id,
      folder: path.join(outdir, 'stacks', stack.node.id),
      dependencies: stack.dependencies.map(({ node }) => node.id),
    }));
}
